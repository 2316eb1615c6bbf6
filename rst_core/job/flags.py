"""Settings on the command line: one field, one flag, or all of them as one JSON document."""

from __future__ import annotations

import argparse
import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping
from enum import StrEnum
from math import inf, nan
from pathlib import Path
from typing import Any

from rst_core.document import converted, from_document, without_none
from rst_core.ranges import Range


class UsageError(ValueError):
    """The command line is wrong."""


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _settings(kind: type) -> list[dataclasses.Field[Any]]:
    """The fields of a class that are settings: those with a help text."""
    return [field for field in dataclasses.fields(kind) if "description" in field.metadata]


def add_settings(parser: argparse.ArgumentParser, sections: Mapping[str, type]) -> None:
    """Add a flag for every setting, and one for all; a flag that is not given sets nothing.

    ``sections`` are settings classes by the document's name for them, "" being its top level.
    """
    parser.add_argument(
        "--settings",
        metavar="JSON",
        help="all settings as one JSON document, or @FILE; replaces the flags",
    )
    for section, kind in sections.items():
        group = parser.add_argument_group(section or "cell")
        hints = typing.get_type_hints(kind)
        for field in _settings(kind):
            text, default = field.metadata["description"], field.default
            if default is dataclasses.MISSING:
                text += " (required)"
            elif default not in ("", None):
                shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
                text += f" (default: {shown})"
            options = {"dest": field.name, "help": text, "default": argparse.SUPPRESS}
            group.add_argument(_flag(field.name), **options | _kind(hints[field.name]))


def _kind(annotation: Any) -> dict[str, Any]:
    """What argparse has to know of a field's type."""
    annotation = without_none(annotation)
    if typing.get_origin(annotation) is tuple:
        item, *rest = typing.get_args(annotation)
        return _kind(item) | {"nargs": "*" if rest == [Ellipsis] else 1 + len(rest)}
    if annotation is bool:
        return {"action": argparse.BooleanOptionalAction}
    if issubclass(annotation, StrEnum):
        return {"type": str, "choices": [member.value for member in annotation]}
    return {"type": annotation, "metavar": annotation.__name__.upper()}


def settings_of(
    arguments: argparse.Namespace,
    sections: Mapping[str, type],
    known: Mapping[str, Any] = types.MappingProxyType({}),
) -> dict[str, Any]:
    """The settings of a command by name, from ``--settings`` or from flags.

    Of each of the ``sections`` there is an instance; the settings of "" stand each by itself.
    ``known`` are values that need not be given. Raises ``UsageError`` for a document that cannot
    be read or has an unknown section, for flags beside one, and for a setting that is missing;
    ``ValueError`` as the settings classes do.
    """
    given = vars(arguments)
    fields = {name: [f.name for f in _settings(kind)] for name, kind in sections.items()}
    found = {name: {f: given[f] for f in fields[name] if f in given} for name in sections}
    if given.get("settings") is not None:
        if flags := [flag for values in found.values() for flag in values]:
            raise UsageError(f"--settings holds all settings; leave out {_flag(flags[0])}")
        found = _sections(_read(given["settings"]), fields)
    made: dict[str, Any] = {}
    for name, kind in sections.items():
        values = {f: known[f] for f in fields[name] if f in known} | found[name]
        for field in _settings(kind):
            if field.default is dataclasses.MISSING and field.name not in values:
                what = field.metadata["description"]
                raise UsageError(f"{_flag(field.name)} is missing: {what}")
        if name:
            made[name] = from_document(kind, values, name)
        else:
            hints = typing.get_type_hints(kind)
            made |= {key: converted(value, hints[key], key) for key, value in values.items()}
    return made


def _sections(document: dict[str, Any], fields: dict[str, list[str]]) -> dict[str, Any]:
    """A document's values by section."""
    top = fields.get("", [])
    allowed = [*filter(None, fields), *top]
    for name, value in document.items():
        if name not in allowed:
            raise UsageError(f"--settings has {name!r}; allowed is {', '.join(allowed)}")
        if name not in top and not isinstance(value, dict):
            raise UsageError(f"{name} is {value!r}; allowed is an object of settings")
    single = {name: value for name, value in document.items() if name in top}
    return {name: document.get(name, {}) if name else single for name in fields}


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a name occurs twice among {', '.join(name for name, _ in pairs)}")
    return found


def _read(words: str) -> dict[str, Any]:
    """A JSON object, or ``@`` and the file that holds it."""
    text = Path(words[1:]).read_text(encoding="utf-8") if words.startswith("@") else words
    try:
        document = json.loads(text, object_pairs_hook=_each_once)
    except ValueError as error:
        raise UsageError(f"--settings is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise UsageError(f"--settings is {document!r}; allowed is an object")
    return document


def number(kind: type[int] | type[float], within: Range) -> Callable[[str], float]:
    """The type of a flag that is a number within a range."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = nan
        if value not in within or value == inf:
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"is {text!r}; allowed is {what} {within}")
        return value

    return read

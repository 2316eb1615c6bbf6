"""Command-line flags from settings: one field, one flag, with its help and its unit."""

from __future__ import annotations

import argparse
import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

S = TypeVar("S")


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _plain(annotation: Any) -> Any:
    """The type of a field without its None."""
    if isinstance(annotation, types.UnionType):
        return next(a for a in typing.get_args(annotation) if a is not types.NoneType)
    return annotation


def add_flags(parser: argparse.ArgumentParser, settings: type, title: str) -> None:
    """Add a flag for every field of a settings class, with the class's defaults."""
    group = parser.add_argument_group(title)
    hints = typing.get_type_hints(settings)
    for field in dataclasses.fields(settings):
        annotation = _plain(hints[field.name])
        required = field.default is dataclasses.MISSING
        options: dict[str, Any] = {"dest": field.name, "help": field.metadata["help"]}
        if required:
            options["required"] = True
        else:
            options["default"] = field.default
            options["help"] += " (default: %(default)s)" if field.default != "" else ""
        if annotation is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif isinstance(annotation, type) and issubclass(annotation, StrEnum):
            options |= {"type": str, "choices": [m.value for m in annotation]}
        elif typing.get_origin(annotation) is tuple:
            item, *rest = typing.get_args(annotation)
            count = "*" if rest == [Ellipsis] else 1 + len(rest)
            options |= {"type": item, "nargs": count, "metavar": item.__name__.upper()}
        else:
            options |= {"type": annotation, "metavar": annotation.__name__.upper()}
        group.add_argument(_flag(field.name), **options)


def from_flags(settings: type[S], arguments: Mapping[str, Any]) -> S:
    """Build settings from parsed flags.

    Raises:
        ValueError: as the settings class does.
    """
    hints = typing.get_type_hints(settings)
    values = {}
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]
        value = arguments[field.name]
        annotation = _plain(hints[field.name])
        if isinstance(annotation, type) and issubclass(annotation, StrEnum) and value is not None:
            value = annotation(value)
        elif isinstance(value, list):
            value = tuple(value)
        values[field.name] = value
    return settings(**values)


def to_flags(settings: Any) -> list[str]:
    """The flags that give back these settings; every field is spelled out, defaults too."""
    words = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        flag = _flag(field.name)
        if value is None:
            continue
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        elif isinstance(value, tuple):
            words += [flag, *(format_value(v) for v in value)]
        else:
            words += [flag, format_value(value)]
    return words


def format_value(value: Any) -> str:
    """A value as the command line takes it."""
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)

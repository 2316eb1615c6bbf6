"""Frozen dataclasses that format to text and parse back; ``FORM`` of the class describes both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, get_type_hints

from rst_core.document import without_none
from rst_core.ranges import require

_NAME = r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"
_NUMBER = r"\d+(?:\.\d+)?"
_PATTERNS: dict[Any, str] = {
    str: _NAME,
    int: r"\d+",
    float: _NUMBER,
    tuple[float, ...]: rf"{_NUMBER}(?:\+{_NUMBER})+",
}
_FIELD = re.compile(r"\{(\w+)\}")
_CHOICE = re.compile(r"\[([^]|]*)\|?([^]]*)\]")


def format_number(value: float) -> str:
    """Shortest decimal of ``value``: 8 and 0.05, never 8.0 or 5e-2.

    Raises ``ValueError`` if the decimal would not parse back to the same number.
    """
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    if float(text) != value:
        raise ValueError(f"{value!r} cannot be part of a path: use at most six decimals")
    return text


def check_name(kind: str, value: str) -> None:
    """Raise ``ValueError`` unless ``value`` can name a ``kind`` inside a path."""
    allowed = "a name of lower-case words joined by single underscores, such as 'resnet18_narrow'"
    require(bool(re.fullmatch(_NAME, value)), kind, value, allowed)


class Formed:
    """A frozen dataclass that is written as ``FORM`` says: its fields stand in braces.

    What is in brackets is left out, or replaced by what follows ``|`` there, if the field in it has
    its default: None where the class states none.
    """

    FORM: ClassVar[str]
    #: What is written so, and is of another class.
    EXCLUDE: ClassVar[str] = ""

    def written(self) -> str:
        """The form with the values of the fields; ``ValueError`` for what cannot stand there."""

        def chosen(choice: re.Match[str]) -> str:
            name = _FIELD.findall(choice[1])[0]
            absent = getattr(self, name) == getattr(type(self), name, None)
            return choice[2] if absent else choice[1]

        form = _CHOICE.sub(chosen, self.FORM)
        return _FIELD.sub(lambda field: _text(field[1], getattr(self, field[1])), form)


def _text(name: str, value: Any) -> str:
    if isinstance(value, Formed):
        return value.written()
    if isinstance(value, tuple):
        return "+".join(map(format_number, value))
    if isinstance(value, str):
        check_name(name, value)
        return str(value)
    return format_number(value)


@cache
def types_of(formed: Any) -> dict[str, Any]:
    """Types of a class's fields, of optional ones without None."""
    hints = get_type_hints(formed)
    return {field.name: without_none(hints[field.name]) for field in fields(formed)}


@cache
def pattern(kind: Any) -> str:
    """How objects of a type are written: a regular expression, in which fields are named groups."""
    if kind in _PATTERNS:
        return _PATTERNS[kind]
    if issubclass(kind, StrEnum):
        return "|".join(kind)
    others = rf"(?!{kind.EXCLUDE}(?:\.|$))" if kind.EXCLUDE else ""
    choices, types = others + _CHOICE.sub(r"(?:\1|\2)", kind.FORM), types_of(kind)
    return _FIELD.sub(lambda field: f"(?P<{field[1]}>{pattern(types[field[1]])})", choices)


def regex(kind: Any) -> str:
    """The pattern without groups, for use inside a larger one."""
    return re.sub(r"\(\?P<\w+>", "(?:", pattern(kind))


def read(kind: Any, groups: Mapping[str, str | None], **known: Any) -> Any:
    """The object whose fields are the groups of its pattern, but for those that are known."""
    for name, part in types_of(kind).items():
        if name not in known:
            text = groups[name]
            if text is None:
                known[name] = getattr(kind, name, None)
            elif part == tuple[float, ...]:
                known[name] = tuple(map(float, text.split("+")))
            else:
                known[name] = read(part, groups) if issubclass(part, Formed) else part(text)
    return kind(**known)

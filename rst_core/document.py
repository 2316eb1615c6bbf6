"""Settings as one JSON document, in both directions."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

S = TypeVar("S")
_hints = cache(typing.get_type_hints)


def from_document(settings: type[S], values: object, where: str) -> S:
    """Build settings from plain values, such as JSON has them.

    ``where`` is the document's name for these settings, for messages; "" at its top level. Raises
    ``ValueError`` naming an unknown or missing key, or a value of another type; and as the settings
    class does.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{where} is {values!r}; allowed is an object of settings")
    prefix = f"{where}." if where else ""
    hints = _hints(settings)  # type: ignore[arg-type]
    fields = {field.name: field for field in dataclasses.fields(settings)}  # type: ignore[arg-type]
    for name in values:
        if name not in fields:
            raise ValueError(f"{prefix}{name} is no setting; allowed is one of {', '.join(fields)}")
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING:
            raise ValueError(f"{prefix}{name} is missing")
    return settings(**{n: converted(v, hints[n], f"{prefix}{n}") for n, v in values.items()})


def without_none(annotation: Any) -> Any:
    """``X`` of ``X | None``, and any other type as it is."""
    given = typing.get_args(annotation)
    return given[0] if types.NoneType in given else annotation


def converted(value: object, annotation: Any, key: str) -> Any:
    """``value`` as the annotation has it; ``ValueError`` naming the key if it cannot be."""
    if dataclasses.is_dataclass(annotation):
        return from_document(annotation, value, key)  # type: ignore[arg-type]
    if value is None and types.NoneType in typing.get_args(annotation):
        return None
    annotation = without_none(annotation)
    if typing.get_origin(annotation) is tuple:
        item, *rest = typing.get_args(annotation)
        count = None if rest == [Ellipsis] else 1 + len(rest)
        if not isinstance(value, list | tuple) or (count and len(value) != count):
            raise ValueError(f"{key} is {value!r}; allowed is a list of {count or 'any number'}")
        return tuple(converted(part, item, key) for part in value)
    if typing.get_origin(annotation) is dict:
        _, item = typing.get_args(annotation)
        if not isinstance(value, Mapping):
            raise ValueError(f"{key} is {value!r}; allowed is an object")
        return {name: converted(part, item, f"{key}.{name}") for name, part in value.items()}
    if issubclass(annotation, StrEnum):
        if value not in list(annotation):
            raise ValueError(f"{key} is {value!r}; allowed is one of {', '.join(annotation)}")
        return annotation(value)
    if annotation is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not annotation or (annotation is float and not math.isfinite(value)):  # type: ignore[arg-type]
        raise ValueError(f"{key} is {value!r}; allowed is {_WORDS[annotation]}")
    return value


_WORDS = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}

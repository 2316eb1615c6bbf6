"""Settings as the flags that a person would type."""

import dataclasses
from typing import Any


def to_flags(settings: Any) -> list[str]:
    """The flags that give back these settings; every field is spelled out, defaults too."""
    words = []
    for field in dataclasses.fields(settings):
        value, flag = getattr(settings, field.name), "--" + field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        elif value is not None:
            parts = value if isinstance(value, tuple) else (value,)
            words += [flag, *map(_text, parts)]
    return words


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)

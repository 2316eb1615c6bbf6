"""What is wrong with a config, one sentence a problem, naming keys as they are typed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

#: What pydantic has in locations beside keys and positions: of a name, and of a choice's branch.
_NO_KEYS = ("[key]", "array", "string")


def sentences(error: ValidationError, schema: dict[str, Any]) -> Iterator[str]:
    """A sentence for every problem: the key, the value, what is allowed.

    A ``ValueError`` of a validator starts with ``is`` if it is about its own key, or with the
    name of a key below.

    Args:
        error: of a model whose JSON schema is
        schema: which knows the keys of every part.
    """
    for problem in error.errors():
        names = [part for part in problem["loc"] if isinstance(part, str) and part not in _NO_KEYS]
        key = ".".join(names)
        match problem["type"]:
            case "extra_forbidden" | "unexpected_keyword_argument":
                known = _section(part_of(names[:-1], schema), schema)["properties"]
                yield f"{key} is an unknown key; allowed is one of {', '.join(known)}"
            case "missing" | "missing_keyword_only_argument":
                yield f"{key} is missing; add it"
            case "value_error":
                for line in str(problem["ctx"]["error"]).splitlines():
                    joint = " " if line.startswith("is ") else "." if key else ""
                    yield f"{key}{joint}{line}"
            case _:
                text = repr(problem["input"])
                shown = text if len(text) < 80 else f"{text[:77]}…"
                # "Input should be less than 1", "List should have at least 1 item after …"
                allowed = re.sub(r".* should (be|have) | after validation.*", "", problem["msg"])
                yield f"{key} is {shown}; allowed is {allowed}"


def part_of(names: Sequence[str], schema: dict[str, Any]) -> dict[str, Any]:
    """The part of a schema for the value of a key."""
    node = schema
    for name in names:
        section = _section(node, schema)
        node = section.get("properties", {}).get(name) or section["additionalProperties"]
    return _resolve(node, schema)


def _section(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A part that has keys, of a list its items."""
    found = _resolve(node, schema)
    return _resolve(found["items"], schema) if "items" in found else found


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The node behind references, and without the choice of leaving the value out."""
    if "$ref" in node:
        return _resolve(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    return _resolve(node["anyOf"][0], schema) if "anyOf" in node else node


def plain(values: Any) -> str:
    """A list as YAML has it."""

    def typed(value: Any) -> Any:
        return value.model_dump(exclude_none=True) if isinstance(value, BaseModel) else str(value)

    return json.dumps(values, default=typed).replace('"', "")


def line(value: str) -> str:
    """A text that is shown, or names a file, in one line; else raises ``ValueError``."""
    if not value.isprintable() or value != value.strip():
        raise ValueError(f"is {value!r}; allowed is one line of text, without spaces around it")
    return value

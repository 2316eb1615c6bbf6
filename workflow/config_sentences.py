"""What is wrong with a config, one sentence a problem, naming keys as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "keys with values",
}
_ENDS = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
}


def sentences(error: ValidationError, schema: dict[str, Any]) -> Iterator[str]:
    """A sentence for every problem: the key, the value, what is allowed.

    A ``ValueError`` of a validator starts with ``is`` if it is about its own key, or with the
    name of a key below.

    Args:
        error: of a model whose JSON schema is
        schema: from which follows what is allowed.
    """
    for problem in error.errors():
        key, node = _locate(problem["loc"], schema)
        match problem["type"]:
            case "extra_forbidden" | "unexpected_keyword_argument":
                _, above = _locate(problem["loc"][:-1], schema)
                yield f"{key} is an unknown key; allowed is {_one_of(above['properties'])}"
            case "missing" | "missing_keyword_only_argument":
                yield f"{key} is missing; allowed is {_allowed(node, schema)}"
            case "value_error":
                for line in str(problem["ctx"]["error"]).splitlines():
                    joint = " " if line.startswith("is ") else "." if key else ""
                    yield f"{key}{joint}{line}"
            case _:
                yield f"{key} is {_shown(problem['input'])}; allowed is {_allowed(node, schema)}"


def _locate(location: tuple[int | str, ...], schema: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The key as it is typed, without the positions in lists, and the schema's part for it."""
    names, node = [], schema
    for part in location:
        node = _resolve(node, schema)
        choices = [_resolve(n, schema) for n in node.get("oneOf", [])]
        if isinstance(part, int):
            node = node.get("prefixItems", [node.get("items", {})])[0]
        elif choices:
            node = next(n for n in choices if n["type"] == part)
        elif part != "[key]":
            names.append(part)
            below = node.get("additionalProperties") or {}
            node = node.get("properties", {}).get(part, below)
    return ".".join(names), _resolve(node, schema)


def _resolve(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The node behind references, and without the choice of leaving the value out."""
    if "$ref" in node:
        return _resolve(schema["$defs"][node["$ref"].rpartition("/")[2]], schema)
    return _resolve(node["anyOf"][0], schema) if "anyOf" in node else node


def _allowed(node: dict[str, Any], schema: dict[str, Any]) -> str:
    node = _resolve(node, schema)
    if "oneOf" in node:
        return " or ".join(_allowed(choice, schema) for choice in node["oneOf"])
    if "enum" in node or "const" in node:
        return _one_of(node.get("enum", [node.get("const")]))
    kind, least = _TYPES[node["type"]], node.get("minItems")
    match node:
        case {"properties": known}:
            return f"{kind}: {', '.join(known)}"
        case {"prefixItems": items}:
            return f"{kind} of {least}, each {_allowed(items[0], schema)}"
        case {"items": item}:
            size = f" of at least {least}" if least else ""
            return f"{kind}{size}, each {_allowed(item, schema)}"
        case {"maxLength": most}:
            least = ", not empty," if "minLength" in node else ""
            return f"{kind}{least} of at most {most} letters"
        case _:
            ends = [f"{word} {node[key]:,.12g}" for key, word in _ENDS.items() if key in node]
            return " ".join([kind, *ends])


def _one_of(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}…"


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

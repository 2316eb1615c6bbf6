"""Sphinx: the API from the docstrings, config.yaml from its schema, cells.csv from its columns."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import rst_core
from workflow.artifacts.numbers.frame import MEANINGS
from workflow.config import config_schema

project = "robust-scratch-tickets"
author = "Contributors"
version = release = rst_core.__version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme_options = {"page_width": "1100px", "sidebar_width": "260px"}
autodoc_default_options = {"members": True}
maximum_signature_line_length = 60
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # signatures of settings are pages long; docstrings say what matters
toc_object_entries = False
# A name of ours that does not exist is an error; those of others are not looked up.
napoleon_use_ivar = True
napoleon_attr_annotations = False
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!rst_core|workflow).*")]


def setup(app: Any) -> None:
    """Fill in what is generated."""
    app.connect("source-read", _fill_in)


def _fill_in(app: Any, page: str, source: list[str]) -> None:
    generated = {"config": _config, "cells_csv": _cells_csv, "modules": _modules}
    if page in generated:
        source[0] += "\n".join(generated[page]())


def _modules() -> Iterator[str]:
    found = pkgutil.walk_packages(rst_core.__path__, "rst_core.")
    for name in ["rst_core", *(one.name for one in found if "__main__" not in one.name)]:
        yield from ["", name, "=" * len(name), "", f".. automodule:: {name}", ""]


def _cells_csv() -> Iterator[str]:
    yield from _table(("column", "what it says"), MEANINGS.items())


def _config() -> Iterator[str]:
    """A section for every kind of entry: keys, what they may be, defaults, meanings."""
    schema = config_schema()
    for name, node in [("The whole file", schema), *schema["$defs"].items()]:
        yield from ["", f".. _config-{name}:", "", name, "=" * len(name), ""]
        yield (node.get("description") or "").split("\n\n")[0].replace("\n", " ")
        if "enum" in node:
            yield "One of " + ", ".join(f"``{value}``" for value in node["enum"]) + "."
            continue
        required = node.get("required", ())
        rows = [
            (key, f"{_kind(one)}{_default(one, key in required)}. {one.get('description', '')}")
            for key, one in node.get("properties", {}).items()
        ]
        yield from _table(("key", "what it may be"), rows)


def _kind(node: dict[str, Any]) -> str:
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return f":ref:`{name} <config-{name}>`"
    if "anyOf" in node:
        return " or ".join(_kind(one) for one in node["anyOf"])
    if "enum" in node or "const" in node:
        return ", ".join(f"``{value}``" for value in node.get("enum", [node.get("const")]))
    if "additionalProperties" in node:
        return f"names, each with {_kind(node['additionalProperties'])}"
    if node.get("type") == "array":
        return f"list of {_kind(node.get('items', {}))}"
    limits = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {node[key]:g}" for key, sign in limits.items() if key in node]
    return " ".join([str(node.get("type", "anything")), *bounds])


def _default(node: dict[str, Any], required: bool) -> str:
    return ", required" if required else f", by default ``{node.get('default')!r}``"


def _table(heads: tuple[str, str], rows: Any) -> Iterator[str]:
    yield from ["", ".. list-table::", "   :header-rows: 1", "   :widths: 25 75", ""]
    for first, second in [heads, *((f"``{key}``", text) for key, text in rows)]:
        yield from [f"   * - {first}", f"     - {' '.join(str(second).split())}"]
    yield ""

"""A line on each file in docs/architecture.md, from the file itself: ``python -m tests.tree``."""

from __future__ import annotations

import ast
from pathlib import Path

from workflow.measured_page import fill

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
_TOPS = ("rst_core", "workflow", "benchmarks", "measurements")


def tree() -> str:
    """A heading and a table for each folder of code; of the tests a line a folder."""
    folders = [folder for top in _TOPS for folder in (ROOT / top, *sorted((ROOT / top).rglob("*")))]
    return "\n\n".join([*filter(None, map(_table, folders)), _tests()])


def _table(folder: Path) -> str:
    """What a folder's files are; empty if it is none, or holds no code."""
    files = [*folder.glob("*.smk"), *folder.glob("*.py")]
    shown = sorted(path for path in files if path.stem not in ("__init__", "__main__"))
    package = folder / "__init__.py"
    if not shown and not package.is_file():
        return ""
    said = f": {line_of(package)}" if package.is_file() and line_of(package) else ""
    rows = [f"| `{path.name}` | {line_of(path)} |" for path in shown]
    table = ["", "| file | what |", "|---|---|", *rows] if rows else []
    return "\n".join([f"### `{folder.relative_to(ROOT).as_posix()}/`{said}", *table])


def _tests() -> str:
    top = ROOT / "tests"
    packages = sorted(top.rglob("*/__init__.py"))
    rows = [f"| `{p.parent.relative_to(top).as_posix()}/` | {line_of(p)} |" for p in packages]
    return "\n".join(["### `tests/`", "", "| folder | what |", "|---|---|", *rows])


def line_of(path: Path) -> str:
    """The first sentence of a module's docstring, or of the comment that begins a rule file.

    How a module is called is left out.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".smk":
        lines = text.partition("\n\n")[0].splitlines()
        said = " ".join(line.removeprefix("#").strip() for line in lines if line.startswith("#"))
    else:
        said = " ".join((ast.get_docstring(ast.parse(text)) or "").partition("\n\n")[0].split())
        said = said.partition(": ``")[0]
    # A sentence ends before a capital letter: "Fig. 4" and "snakemake 2.8" do not.
    for end, letter in enumerate(said):
        if letter == "." and said[end + 1 : end + 2] == " " and said[end + 2].isupper():
            return said[:end]
    return said.removesuffix(".")


if __name__ == "__main__":
    fill(PAGE, {"tree": tree()})

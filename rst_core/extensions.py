"""Commands of ``rst`` that other packages bring: entry points of the group ``rst.commands``.

An entry point names a function of the words after the command's name; it returns the exit
status. What it lives in need not be installed: it may be a folder of the current one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

GROUP = "rst.commands"
Command = Callable[[Sequence[str]], int]


def names() -> list[str]:
    """Commands that are announced; whether they can be used here, only calling them tells."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def find(name: str) -> EntryPoint | None:
    """The command of a name, if one is announced."""
    return next(iter(entry_points(group=GROUP, name=name)), None)


def run(entry: EntryPoint, words: Sequence[str]) -> int:
    """Run a command; if something that it needs is missing, one sentence and exit status 1."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        command: Command = entry.load()
    except ModuleNotFoundError as error:
        print(f"rst {entry.name}: {_missing(entry, error)}", file=sys.stderr, flush=True)
        return 1
    return command(words)


def _missing(entry: EntryPoint, error: ModuleNotFoundError) -> str:
    package = entry.module.partition(".")[0]
    if error.name is not None and error.name.partition(".")[0] == package:
        return (
            f"there is no folder {package!r} here; run it in the root of the repository, "
            "where config.yaml is"
        )
    return f"it needs {error.name}, which is not installed; 'make install' installs everything"

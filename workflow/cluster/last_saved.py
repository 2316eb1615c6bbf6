"""When cells last saved something, by which the executor tells jobs that got further."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rst_core.identity import Cell
from rst_core.job.paths import checkpoint_path


def last_saved(root: Path, cells: Iterable[Cell]) -> float:
    """When one of these cells below ``root`` last saved its result or what is unfinished of it.

    In seconds since the epoch; 0 if none ever did.
    """
    files: list[Path] = []
    for cell in cells:
        unfinished = checkpoint_path(root, cell).parent
        files += [root / cell.path, *(unfinished.iterdir() if unfinished.is_dir() else ())]
    return max((file.stat().st_mtime for file in files if file.is_file()), default=0.0)

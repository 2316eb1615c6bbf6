"""Cell files with invented numbers, so that what reads cells is tested without any training."""

from __future__ import annotations

from pathlib import Path

from rst_core.files import write_json
from rst_core.spec import Cell
from tests.made_up import record
from workflow.matrix import Matrix, cell_file

PROVENANCE = {
    "rst_core": "0.1.0",
    "revision": "0123456789ab",
    "torch": "2.13.0",
    "python": "3.11.7",
    "device": "an invented device",
    "started": "2026-01-01T00:00:00+00:00",
    "finished": "2026-01-01T00:01:00+00:00",
    "wall_seconds": 60.0,
}


def write_cell(root: Path, cell: Cell, matrix: Matrix) -> Path:
    """Write a cell's file below ``root``, the folder that holds ``results``."""
    path = root / cell_file(cell)
    write_json(path, record(cell, matrix) | {"provenance": PROVENANCE})
    return path

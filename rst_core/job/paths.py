"""Paths of a cell's unfinished work: its checkpoint and its lease."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from rst_core.identity import Cell, TrainingCell


def checkpoints(root: Path) -> Path:
    """Folder of everything that is unfinished: outside every declared output."""
    return root.parent / "checkpoints"


def lease_path(root: Path, cell: Cell) -> Path:
    """Folder of a cell's lease: one for all selections of a model, which one run makes."""
    return checkpoint_path(root, cell).parent / "lease"


def checkpoint_path(root: Path, cell: Cell) -> Path:
    """Where a cell's unfinished work is: one file for all selections of a model."""
    training = isinstance(cell, TrainingCell)
    work = cell.model.path if training else PurePosixPath(cell.path).with_suffix("")
    return checkpoints(root) / work / "state.pt"

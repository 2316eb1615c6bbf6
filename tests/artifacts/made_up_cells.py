"""Cell files with invented numbers, so that what reads cells is tested without any training."""

from __future__ import annotations

from pathlib import Path

from rst_core.data.manifest import SPLITS, Manifest, write_manifest
from rst_core.data.source_files import fingerprint
from rst_core.identity import Cell
from rst_core.storage import write_json
from tests.artifacts.made_up import IMAGES, PROVENANCE, record
from workflow.matrix import Matrix

__all__ = ["PROVENANCE", "write_cell", "write_dataset"]


def write_cell(root: Path, cell: Cell, matrix: Matrix, fresh: bool = True) -> Path:
    """Write a cell's file below ``root``, the folder that holds ``results``."""
    path = root / matrix.file(cell)
    write_json(path, record(cell, matrix, fresh))
    return path


def write_dataset(root: Path, name: str, matrix: Matrix) -> None:
    """Write the manifest of a dataset on which made-up cells are fresh."""
    settings = matrix.config.datasets[name].images
    held = settings.validation_images
    each = dict(zip(SPLITS, (settings.classes, held, settings.classes), strict=True))
    classes = {
        split: [count - (settings.classes - 1), *[1] * (settings.classes - 1)]
        for split, count in each.items()
    }
    manifest = Manifest(name, settings, IMAGES, fingerprint(settings), each, classes)
    write_manifest(root / matrix.manifest(name), manifest)

"""Cell files with invented numbers, so that what reads cells is tested without any training."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from rst_core.files import write_json
from rst_core.records import pack_outcomes
from rst_core.spec import CandidateSet, Cell, FeatureDistance, TransferRow
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


def record(cell: Cell, matrix: Matrix) -> dict[str, Any]:
    """What the file of a measured cell would hold, with 40 images."""
    seed = int.from_bytes(hashlib.sha256(cell.path.encode()).digest()[:4], "big")
    random = np.random.default_rng(seed)
    if isinstance(cell, FeatureDistance):
        results = [
            {"eps": eps, "mean": eps / 100, "deviation": 0.01, "total": 40}
            for experiment in matrix.config.experiments.values()
            for eps in experiment.feature_distance
        ]
    else:
        judges = [cell.model]
        if isinstance(cell, TransferRow):
            judges = [target.model for target in matrix.targets(cell)]
        if isinstance(cell.model, CandidateSet):
            judges = list(cell.model.tickets)
        results = [
            {
                "model": judge.path,
                "natural": pack_outcomes(random.random(40) < 0.8),
                "robust": pack_outcomes(random.random(40) < 0.5),
                "parameters": 1000,
                "parameters_kept": 200,
            }
            for judge in judges
        ]
    return {
        "format": 1,
        "cell": cell.path,
        "kind": type(cell).__name__,
        "results": results,
        "provenance": PROVENANCE,
    }


def write_cell(root: Path, cell: Cell, matrix: Matrix) -> Path:
    """Write a cell's file below ``root``, the folder that holds ``results``."""
    path = root / cell_file(cell)
    write_json(path, record(cell, matrix))
    return path

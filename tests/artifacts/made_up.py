"""Frames of made-up numbers with the shapes that the paper describes, for builders and eyes."""

from __future__ import annotations

import dataclasses
import itertools
import math
import zlib
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from rst_core.axes import cell_axes, model_axes
from rst_core.identity import (
    Cell,
    Evaluation,
    FeatureDistance,
    Model,
    TrainingCell,
    TransferRow,
    Untrained,
    parse_cell,
    parse_model,
)
from rst_core.key import Inputs, cell_settings
from rst_core.records import cell_record, pack_outcomes
from rst_core.storage import checksum
from workflow.artifacts.numbers.frame import COLUMNS, cell_rows
from workflow.keys import Keys
from workflow.matrix import Matrix

#: Digest of the images of all made-up datasets.
IMAGES = checksum("images")

PROVENANCE = {
    "rst_core": "0.1.0",
    "revision": "0123456789ab",
    "torch": "2.13.0",
    "python": "3.11.7",
    "device": "an invented device",
    "precision": "float32",
    "started": "2026-01-01T00:00:00+00:00",
    "finished": "2026-01-01T00:01:00+00:00",
    "wall_seconds": 60.0,
}

_OFFSETS = {
    "finetuned_inherited": 1.5,
    "finetuned_reinitialised": -1.0,
    "rtt_natural": -4.0,
    "rtt_adversarial": 2.5,
    "rtt_transferred": -2.0,
    "kaiming_normal": -3.0,
    "xavier_normal": -5.0,
    "kaiming_uniform": -4.0,
    "row": -6.0,
    "kernel": -10.0,
    "channel": -30.0,
    "fgsm": -3.5,
    "fgsm_rs": -2.0,
}


def _noise(text: str) -> float:
    """Between -1 and 1, the same for the same text."""
    return zlib.crc32(text.encode()) / 2**31 - 1


def accuracy(model: Model, measure: str) -> float:
    """A share of right answers: low at both ends of the keep ratios, dense a bit above."""
    columns = model_axes(model)
    percent = 48.0 if measure == "robust" else 79.0
    percent *= 1.0 if columns["network"].startswith("resnet") else 1.06
    percent -= 0.4 * (float(columns["trained_eps"] or 8) - 8) * 4
    percent *= {"10": 1.0, "100": 0.58}.get("100" if "100" in columns["dataset"] else "10", 1.0)
    percent += sum(
        _OFFSETS.get(str(columns[c]), 0.0) for c in ("model", "init", "pattern", "method")
    )
    ratio = columns["keep_ratio"]
    if ratio is None:
        percent = (
            0.0 if columns["model"] == "dense_natural" and measure == "robust" else percent + 2
        )
    else:
        percent -= 9 * max(0.0, math.log10(0.2 / ratio)) ** 1.5
        percent -= (percent - 12) / (1 + math.exp((0.72 - ratio) / 0.05))
    percent += (0.6 + 0.5 / (ratio or 1) ** 0.3) * _noise(model.path + measure)
    return max(1.0, percent) / 100


def targets(cell: Evaluation | TransferRow, matrix: Matrix) -> list[Model]:
    """The models that a cell's images are evaluated on."""
    cells = matrix.targets(cell) if isinstance(cell, TransferRow) else matrix.sources(cell)
    return [trained.model for trained in cells]


def record(cell: Cell, matrix: Matrix, fresh: bool = False) -> dict[str, object]:
    """What a cell's file would hold.

    Args:
        cell: which.
        matrix: of the config.
        fresh: whether it is what the config asks for; else it has all images of every attack.
    """
    cell = parse_cell(cell.path)  # as a job has it: an eps of 8 in a config is 8.0 in a path
    images = matrix.config.datasets[cell.model.network.dataset].images
    models = matrix.sources(cell) if not isinstance(cell.model, Untrained) else []
    if isinstance(cell, FeatureDistance):
        slope = {"untrained": 0.018, "dense_natural": 0.05, "dense_adversarial": 0.009}
        word = str(model_axes(cell.model)["model"])
        bend = 1 + 0.1 * _noise(cell.path)
        sizes = matrix.config.experiments["features"].feature_distance
        results = [
            {"eps": e, "mean": bend * slope[word] * e**0.9, "deviation": 0.1, "total": 1000}
            for e in sizes
        ]
        network = matrix.network_settings(cell.model.network)
        settings = cell_settings(images, network=network, eps_grid=tuple(sizes))
        return _record(cell, matrix, settings, models, 1000, results)
    assert isinstance(cell, Evaluation | TransferRow)
    spec = matrix.attack(cell)
    if not fresh:
        spec = dataclasses.replace(spec, images=None)
    count = spec.images or 2000
    found = []
    for target in targets(cell, matrix):
        kept = 1e6 * (model_axes(target)["keep_ratio"] or 1)
        result: dict[str, object] = {"model": target.path}
        result |= {"parameters": 1_000_000, "parameters_kept": round(kept)}
        for measure in ("natural", "robust"):
            share = accuracy(target, measure)
            if measure == "robust" and target != cell.model:
                share += 0.18 + 0.02 * _noise(cell.path + target.path)
            result[measure] = pack_outcomes(np.arange(count) < round(count * min(share, 1.0)))
        found.append(result)
    settings = cell_settings(images, attack=spec, batch_size=matrix.config.attack_batch_size)
    models += matrix.targets(cell) if isinstance(cell, TransferRow) else []
    return _record(cell, matrix, settings, models, count, found)


def _record(
    cell: Cell,
    matrix: Matrix,
    settings: dict[str, object],
    models: list[TrainingCell],
    count: int,
    results: list,
) -> dict[str, object]:
    bases = {model.path: checksum(model.path) for model in models}
    keys = Keys(matrix, lambda name: IMAGES)
    known = {model.path: keys.key(model) for model in models}
    images = {"attacked": count, "test_set": count if isinstance(cell, FeatureDistance) else 2000}
    inputs = Inputs(settings, IMAGES, bases, known)
    return cell_record(cell, inputs, images, results, PROVENANCE)


def bare_record(cell: Cell, results: list[dict[str, object]], **more: object) -> dict[str, object]:
    """As much of a cell's file as its numbers need; ``results`` name their models by path."""
    cell = parse_cell(cell.path)
    results = [{**one, "axes": model_axes(parse_model(str(one["model"])))} for one in results]
    kind = type(cell).__name__
    return {"cell": cell.path, "kind": kind, "axes": cell_axes(cell), "results": results, **more}


def made_up(
    matrix: Matrix, experiments: Iterable[str], keep: Callable[[Cell], bool] = lambda cell: True
) -> pd.DataFrame:
    """The tidy frame of those cells of the experiments that are kept."""
    cells = itertools.chain.from_iterable(matrix.cells(e) for e in experiments)
    wanted = [cell for cell in dict.fromkeys(cells) if keep(cell)]
    rows = [row for cell in wanted for row in cell_rows(record(cell, matrix))]
    return pd.DataFrame(rows, columns=COLUMNS)

"""Frames of made-up numbers with the shapes that the paper describes, for builders and eyes."""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from rst_core.records import pack_outcomes
from rst_core.spec import Cell, Evaluation, FeatureDistance, Model, TransferRow
from workflow.artifacts.frame import COLUMNS, cell_rows, model_columns
from workflow.matrix import Matrix

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
    columns = model_columns(model)
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


def record(cell: Cell, matrix: Matrix) -> dict[str, object]:
    """What a cell's file would hold, as far as builders read it."""
    known: dict[str, object] = {"cell": cell.path, "kind": type(cell).__name__}
    if isinstance(cell, FeatureDistance):
        slope = {"untrained": 0.018, "dense_natural": 0.05, "dense_adversarial": 0.009}
        word = str(model_columns(cell.model)["model"])
        bend = 1 + 0.1 * _noise(cell.path)
        sizes = matrix.config.experiments["features"].feature_distance
        results = [{"eps": e, "mean": bend * slope[word] * e**0.9, "total": 1000} for e in sizes]
        return known | {"results": results}
    assert isinstance(cell, Evaluation | TransferRow)
    judges = matrix.targets(cell) if isinstance(cell, TransferRow) else matrix.sources(cell)
    found = []
    for judge in (judged.model for judged in judges):
        kept = 1e6 * (model_columns(judge)["keep_ratio"] or 1)
        result: dict[str, object] = {"model": judge.path}
        result |= {"parameters": 1_000_000, "parameters_kept": round(kept)}
        for measure in ("natural", "robust"):
            share = accuracy(judge, measure)
            if measure == "robust" and judge != cell.model:
                share += 0.18 + 0.02 * _noise(cell.path + judge.path)
            result[measure] = pack_outcomes(np.arange(2000) < round(2000 * min(share, 1.0)))
        found.append(result)
    return known | {"results": found}


def made_up(
    matrix: Matrix, experiments: Iterable[str], keep: Callable[[Cell], bool] = lambda cell: True
) -> pd.DataFrame:
    """The tidy frame of those cells of the experiments that are kept."""
    cells = itertools.chain.from_iterable(matrix.cells(e) for e in experiments)
    wanted = [cell for cell in dict.fromkeys(cells) if keep(cell)]
    rows = [row for cell in wanted for row in cell_rows(record(cell, matrix))]
    return pd.DataFrame(rows, columns=COLUMNS)

"""From a claim's axes to the numbers that it compares, planned by the config or measured.

A number is found by its address: every axis of the tidy frame, but for the seed. What the config
plans goes through the same code as what was measured, so that the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from rst_core.records import unpack_outcomes
from rst_core.spec import CandidateSet, Cell, Evaluation, FeatureDistance, TransferRow
from workflow.artifacts.claims_data import Axes, Claim, OfExperiment, Range
from workflow.artifacts.frame import cell_rows
from workflow.matrix import Matrix

PARAMETERS = ("parameters", "parameters_kept")


class Address(NamedTuple):
    """Which number, whatever the seed; columns of the tidy frame, None where it has no such axis.

    ``source_seed`` is relative: ``own``, or ``other`` for a model of another seed.
    """

    kind: str
    dataset: str
    network: str
    init: str
    model: str
    measure: str
    keep_ratio: float | None = None
    pattern: str | None = None
    method: str | None = None
    trained_eps: float | None = None
    pretrained_on: str | None = None
    attack: str | None = None
    attack_eps: float | None = None
    noise_eps: float | None = None
    targets: str | None = None
    source_model: str | None = None
    source_keep_ratio: float | None = None
    source_seed: str | None = None
    candidates: str | None = None


@dataclass(frozen=True)
class Number:
    """One measured number.

    Attributes:
        value: percent; a ratio for feature distances, millions for parameters.
        total: images behind it.
        packed: every image's outcome as in the cell file, None if the frame has none.
        deviation: standard deviation over images, where the cell file gives it.
        flags: the cell's flags, as in the tidy frame.
    """

    value: float
    total: int
    packed: str | None = None
    deviation: float | None = None
    flags: str | None = None

    def outcomes(self) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
        """Every image's outcome, if the frame has them."""
        if self.packed is None:
            return None
        correct = round(self.value * self.total / 100)
        return unpack_outcomes({"correct": correct, "total": self.total, "outcomes": self.packed})


#: Numbers by address and seed; several only for models of other seeds.
Numbers = Mapping[Address, Mapping[int, list[Number]]]


def index(rows: Iterable[dict[str, Any]], selection: str) -> Numbers:
    """Rows of the tidy frame by address and seed; those of another epoch are left out."""
    found: dict[Address, dict[int, list[Number]]] = {}
    for raw in rows:
        row: dict[str, Any] = {k: None if _missing(v) else v for k, v in raw.items()}
        if row.get("selection") not in (selection, None):
            continue
        details = (row.get("outcomes"), row.get("deviation"), row.get("flags"))
        seeds = found.setdefault(_address(row, row["measure"]), {})
        number = Number(row["value"], int(row["total"]), *details)
        seeds.setdefault(int(row["seed"]), []).append(number)
        for count in PARAMETERS:
            if row.get(count) is not None:
                sizes = found.setdefault(_address(row, count), {})
                sizes[int(row["seed"])] = [Number(row[count] / 1e6, 0)]
    return found


def measured(cells: pd.DataFrame, matrix: Matrix) -> Numbers:
    """The numbers of a tidy frame."""
    return index(cells.to_dict("records"), matrix.config.selection.value)  # type: ignore[arg-type]


@cache
def planned(matrix: Matrix, experiment: str) -> Numbers:
    """The numbers that an experiment of the config will have, their values all zero."""
    if experiment not in matrix.config.experiments:
        return {}
    cells = matrix.cells(experiment)
    rows = (row for cell in cells for row in cell_rows(_empty_record(cell, matrix)))
    return index(rows, matrix.config.selection.value)


def _empty_record(cell: Cell, matrix: Matrix) -> dict[str, Any]:
    """What a cell's file will be like."""
    record = {"cell": cell.path, "kind": type(cell).__name__}
    if isinstance(cell, FeatureDistance):
        grids = (e.feature_distance for e in matrix.config.experiments.values())
        noise = sorted({eps for grid in grids for eps in grid})
        return {**record, "results": [{"eps": e, "mean": 0.0, "total": 1} for e in noise]}
    assert isinstance(cell, Evaluation | TransferRow)
    if isinstance(cell, TransferRow):
        models = [target.model.path for target in matrix.targets(cell)]
    elif isinstance(cell.model, CandidateSet):
        models = [ticket.path for ticket in cell.model.tickets]
    else:
        models = [cell.model.path]
    counts = {"correct": 0, "total": 1}
    sizes = {"parameters": 0, "parameters_kept": 0}
    results = [{"model": m, "natural": counts, "robust": counts, **sizes} for m in models]
    return {**record, "results": results}


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA


def _address(row: dict[str, Any], measure: str) -> Address:
    axes = {name: row.get(name) for name in Address._fields if name != "source_seed"}
    axes["measure"] = measure
    if measure in PARAMETERS:  # a property of the model, whatever attacked it
        model = ("dataset", "network", "init", "model", "keep_ratio", "pattern", "method")
        kept = (*model, "trained_eps", "pretrained_on", "measure")
        return Address(kind="Model", **{name: axes[name] for name in kept})  # type: ignore[arg-type]
    if row["kind"] == "TransferRow":
        axes["source_seed"] = "own" if row["source_seed"] == row["seed"] else "other"
    else:
        axes["source_model"] = axes["source_keep_ratio"] = None
    return Address(**axes)  # type: ignore[arg-type]


#: What an axis is where a claim says nothing: the defaults of config.yaml's experiments.
_DEFAULTS: dict[str, Any] = {
    "network": "resnet18",
    "dataset": "cifar10",
    "init": "signed_kaiming_constant",
    "pattern": "element",
    "method": "pgd7",
    "trained_eps": 8.0,
    "measure": "robust",
    "attack": "pgd20",
    "source_seed": "own",
}


def addresses(own: Axes, context: dict[str, Any], claim: Claim, matrix: Matrix) -> list[Address]:
    """The numbers whose mean one side of a comparison is.

    An axis that the model does not have may come from ``context``, which several sides share,
    but not from the side itself. Empty if a range or an experiment names no keep ratio here.

    Raises:
        ValueError: if the side has an axis that its model has not.
    """
    axes = {**_DEFAULTS, **context, **own.given()}
    if "model" not in axes:
        raise ValueError(f"{claim.id}: a side names no model")
    _check(own, axes["model"], claim)
    switch = axes.pop("switch", None)
    if switch is not None and _is_ticket(axes["model"]):
        axes |= {"targets": "tickets", "keep_ratio": switch, "source_keep_ratio": switch}
    base = _model_axes(axes, matrix) | _measurement_axes(axes, claim, matrix)
    ratios = _ratios(axes.get("keep_ratio"), claim, matrix) if _is_ticket(axes["model"]) else [None]
    if base["kind"] != "TransferRow" or not _is_ticket(base["source_model"]):
        return [Address(**base, keep_ratio=k) for k in ratios]
    if axes.get("source_keep_ratio", "own") == "own":
        return [Address(**base, keep_ratio=k, source_keep_ratio=k) for k in ratios]
    sources = _ratios(axes["source_keep_ratio"], claim, matrix)
    return [Address(**base, keep_ratio=k, source_keep_ratio=s) for k in ratios for s in sources]


def _is_ticket(model: str) -> bool:
    return model.startswith(("rst", "rtt", "finetuned"))


def _check(own: Axes, model: str, claim: Claim) -> None:
    lacking: set[str] = set()
    if not _is_ticket(model):
        lacking |= {"keep_ratio", "pattern", "switch", "candidates"}
    if model in ("untrained", "dense_natural"):
        lacking |= {"method", "trained_eps"}
    if model != "rtt_transferred":
        lacking |= {"pretrained_on"}
    wrong = sorted(lacking & own.model_fields_set)
    if wrong:
        raise ValueError(f"{claim.id}: a side has {', '.join(wrong)}, which {model} has not")


def _model_axes(axes: dict[str, Any], matrix: Matrix) -> dict[str, Any]:
    roles, model = matrix.config.roles, axes["model"]
    found = {
        "dataset": roles.datasets.get(axes["dataset"], axes["dataset"]),
        "network": roles.networks.get(axes["network"], axes["network"]),
        "init": str(axes["init"]),
        "model": model,
    }
    if model not in ("untrained", "dense_natural"):
        found |= {"method": str(axes["method"]), "trained_eps": float(axes["trained_eps"])}
    if _is_ticket(model):
        found["pattern"] = str(axes["pattern"])
    if model == "rtt_transferred":
        source = axes["pretrained_on"]
        found["pretrained_on"] = roles.datasets.get(source, source)
    return found


def _measurement_axes(axes: dict[str, Any], claim: Claim, matrix: Matrix) -> dict[str, Any]:
    measure = axes["measure"]
    if measure in PARAMETERS:
        return {"kind": "Model", "measure": measure}
    if measure == "feature_distance":
        noise = float(axes["noise_eps"])
        return {"kind": "FeatureDistance", "measure": measure, "noise_eps": noise}
    eps = axes.get("attack_eps", axes["trained_eps"])
    found = {
        "kind": "Evaluation",
        "measure": measure,
        "attack": axes["attack"],
        "attack_eps": None if eps == "none" else float(eps),
    }
    if "targets" in axes:
        found |= {"kind": "TransferRow", "targets": axes["targets"]}
        found |= {"source_model": axes.get("source_model", axes["model"])}
        found |= {"source_seed": axes["source_seed"]}
    if "candidates" in axes and _is_ticket(axes["model"]):
        members = _ratios(axes["candidates"], claim, matrix)
        found["candidates"] = "+".join(f"{k:g}" for k in members)
    return found


def keep_ratios(values: Any, claim: Claim, matrix: Matrix) -> list[Any]:
    """The keep ratios that a range or an experiment stands for in this config."""
    known = matrix.config.experiments
    if isinstance(values, OfExperiment):
        return known[values.experiment].keep_ratios if values.experiment in known else []
    if isinstance(values, Range):
        grid = {k for e in claim.experiments if e in known for k in known[e].keep_ratios}
        return sorted(k for k in grid if values.lowest <= k <= values.highest)
    return list(values)


def _ratios(values: Any, claim: Claim, matrix: Matrix) -> list[Any]:
    if values is None:
        raise ValueError(f"{claim.id}: a ticket has no keep_ratio")
    if isinstance(values, int | float):
        return [float(values)]
    return keep_ratios(values, claim, matrix)

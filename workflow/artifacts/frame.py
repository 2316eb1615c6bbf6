"""All cell results as one tidy frame: one row a measured number, every axis a column."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from rst_core.spec import (
    CandidateSet,
    Dense,
    Evaluation,
    FeatureDistance,
    FineTuned,
    Model,
    Ticket,
    TransferRow,
    Untrained,
    parse_cell,
    parse_model,
)
from workflow.artifacts.suspicion import check_codes, flagged
from workflow.holes import is_hole

#: Columns that say which model a number belongs to.
MODEL_COLUMNS = [
    "dataset", "network", "init", "seed", "model", "keep_ratio", "pattern", "method",
    "trained_eps", "pretrained_on",
]  # fmt: skip
COLUMNS = [
    "kind", *MODEL_COLUMNS, "selection", "attack", "attack_method", "attack_norm", "attack_eps",
    "targets", "source_model", "source_keep_ratio", "source_seed", "candidates", "measure",
    "correct", "total", "value", "outcomes", "noise_eps", "parameters", "parameters_kept",
    "flags", "cell", "deviation",
]  # fmt: skip


def model_kind(model: Model) -> str:
    """The word for a model in the config: dense_natural, rst, finetuned_inherited, …"""
    match model:
        case Untrained():
            return "untrained"
        case Dense():
            return "dense_adversarial" if model.adversary else "dense_natural"
        case Ticket() | CandidateSet():
            return str(model.origin)
        case FineTuned():
            return f"finetuned_{model.start}"


def model_columns(model: Model) -> dict[str, Any]:
    """The axes of a model, None where it has none."""
    network = model.network
    columns: dict[str, Any] = dict.fromkeys(MODEL_COLUMNS)
    columns |= {
        "dataset": network.dataset,
        "network": network.name,
        "init": network.init.value,
        "seed": network.seed,
        "model": model_kind(model),
    }
    ticket = model.ticket if isinstance(model, FineTuned) else model
    if isinstance(ticket, Ticket):
        columns["keep_ratio"] = ticket.keep_ratio
        columns["pattern"] = ticket.pattern.value
        columns["pretrained_on"] = ticket.pretrained_on
    adversary = None if isinstance(model, Untrained) else model.adversary
    if adversary is not None:
        columns["method"] = adversary.method.value
        columns["trained_eps"] = adversary.eps
    return columns


def cell_rows(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The numbers of one cell file."""
    cell = parse_cell(record["cell"])
    common: dict[str, Any] = {"kind": record["kind"], "cell": record["cell"]}
    common["selection"] = getattr(cell, "selection", None)
    if isinstance(cell, FeatureDistance):
        for result in record["results"]:
            yield {
                **common,
                **model_columns(cell.model),
                "measure": "feature_distance",
                "noise_eps": result["eps"],
                "value": result["mean"],
                "total": result["total"],
                "deviation": result.get("deviation"),
            }
        return
    assert isinstance(cell, Evaluation | TransferRow)
    common |= {"attack": cell.attack, "attack_eps": cell.eps}
    attack = record.get("settings", {}).get("attack", {})
    common |= {"attack_method": attack.get("method"), "attack_norm": attack.get("norm")}
    source = model_columns(cell.model)
    common |= {
        "source_model": source["model"],
        "source_keep_ratio": source["keep_ratio"],
        "source_seed": source["seed"],
    }
    if isinstance(cell, TransferRow):
        common["targets"] = cell.targets
    if isinstance(cell.model, CandidateSet):
        common["candidates"] = "+".join(f"{k:g}" for k in cell.model.keep_ratios)
    for result in record["results"]:
        judge = _judge_columns(result["model"])
        counts = {k: result.get(k) for k in ("parameters", "parameters_kept")}
        for measure in ("natural", "robust"):
            correct, total = result[measure]["correct"], result[measure]["total"]
            yield {
                **common,
                **judge,
                **counts,
                "measure": measure,
                "correct": correct,
                "total": total,
                "value": 100 * correct / total,
                "outcomes": result[measure].get("outcomes"),
                "flags": check_codes(record.get("checks")) if measure == "robust" else "",
            }


@cache
def _judge_columns(path: str) -> dict[str, Any]:
    # Few models are in many files; parsing their names again was most of reading those.
    return model_columns(parse_model(path))


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The numbers of one cell file, a dictionary each; none of a cell that failed.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: naming a file that is damaged.
    """
    text = path.read_bytes()
    try:
        record = json.loads(text)
        return [] if is_hole(record) else list(cell_rows(record))
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{path} is damaged: {error}; delete it to have it made again") from error


def as_frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Rows as the tidy frame, flagged; an empty one has all columns too."""
    frame = pd.DataFrame(list(rows), columns=COLUMNS)
    # Plain Python strings: an artifact compares them thousands of times, in numpy.
    words: list[str] = list(frame.select_dtypes("str").columns)
    return flagged(frame.astype(dict.fromkeys(words, object)))


def read_cells(paths: Iterable[Path]) -> pd.DataFrame:
    """Read cell files into the tidy frame.

    ``value`` is a percentage for accuracies and a ratio for feature distances; ``outcomes``
    holds every image's, packed as in the cell file; ``flags`` says which robust accuracies
    deserve suspicion (:mod:`workflow.artifacts.suspicion`). Cells that failed have no rows;
    ``attrs["failed"]`` counts them.

    Raises:
        ValueError: naming a file that cannot be read.
    """
    rows: list[dict[str, Any]] = []
    failed = 0
    for path in paths:
        found = read_rows(path)
        failed += not found
        rows += found
    frame = as_frame(rows)
    frame.attrs["failed"] = failed
    return frame

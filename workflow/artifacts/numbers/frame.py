"""All cell results as one tidy frame: one row a measured number, every axis a column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from rst_core.axes import AXES, MODEL_COLUMNS
from rst_core.records import read_cell
from rst_core.storage import FileError
from workflow.artifacts.numbers.suspicion import carried_flags, check_codes, flagged
from workflow.failures import is_in_place

_OF_AXES = {axis.name: axis.meaning for axis in AXES}
#: What each column says, in the order of cells.csv; an empty field: there is no such thing.
MEANINGS: dict[str, str] = {
    "cell": "path of the cell below the folder of cells; rows of one cell share it",
    "kind": "Evaluation, TransferRow or FeatureDistance",
    **{name: _OF_AXES[name] for name in MODEL_COLUMNS},
    "selection": "which epoch of the attacked model: best_val, last or best_test",
    "attack": "name of the attack in the config",
    "attack_method": "its algorithm",
    "attack_norm": "norm of its perturbation: linf or l2",
    "attack_eps": "its size: in 1/255 (linf), on [0, 1] images (l2)",
    "targets": "group of models that a transfer row is evaluated on",
    "source_model": "what the attack was made on, in the words of 'model'",
    "source_keep_ratio": "the keep ratio of that",
    "source_seed": "the seed of that",
    "candidates": _OF_AXES["candidates"],
    "measure": "natural (accuracy on clean images), robust (on adversarial ones) or "
    "feature_distance",
    "value": "the number: percent for accuracies, a ratio to the clean norm for distances",
    "correct": "images that are classified correctly",
    "total": "images measured",
    "deviation": "standard deviation of a feature distance over images",
    "noise_eps": "magnitude of a feature distance's noise, in 1/255",
    "parameters": "prunable weights of the evaluated model",
    "parameters_kept": "those that its mask keeps",
    "flags": "codes of why a robust accuracy deserves suspicion, joined by ; (suspicion.py)",
}
#: With every image's outcome, packed as in the cell file.
COLUMNS = [*MEANINGS, "outcomes"]


def cell_rows(record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The numbers of one cell file, with the axes that it says its models have."""
    axes, results = record["axes"], record["results"]
    common = {"kind": record["kind"], "cell": record["cell"], "selection": axes["selection"]}
    if record["kind"] == "FeatureDistance":
        for result in results:
            yield {
                **common,
                **model_columns(axes),
                "measure": "feature_distance",
                "noise_eps": result["eps"],
                "value": result["mean"],
                "total": result["total"],
                "deviation": result.get("deviation"),
            }
        return
    attack = record.get("settings", {}).get("attack", {})
    common |= {
        **{name: axes[name] for name in ("attack", "attack_eps", "targets")},
        **{f"attack_{name}": attack.get(name) for name in ("method", "norm")},
        **{f"source_{name}": axes[name] for name in ("model", "keep_ratio", "seed")},
        "candidates": candidates(axes["candidates"]) if axes["candidates"] else None,
    }
    checks = check_codes(record.get("checks"))
    partly = _part_of_the_test_set(record)
    for result in results:
        of_model = {**common, **model_columns(result["axes"])}
        of_model |= {name: result.get(name) for name in ("parameters", "parameters_kept")}
        for measure in ("natural", "robust"):
            correct, total = result[measure]["correct"], result[measure]["total"]
            yield {
                **of_model,
                "measure": measure,
                "correct": correct,
                "total": total,
                "value": 100 * correct / total,
                "outcomes": result[measure].get("outcomes"),
                "flags": carried_flags([partly, checks if measure == "robust" else ""]),
            }


def model_columns(axes: Mapping[str, Any]) -> dict[str, Any]:
    """The axes of a model (:func:`rst_core.axes.model_axes`), None where it has none."""
    return {name: axes.get(name) for name in MODEL_COLUMNS}


def candidates(keep_ratios: Iterable[float]) -> str:
    """A candidate set as keys and the tidy frame write it: ``0.05+0.1``."""
    return "+".join(f"{k:g}" for k in keep_ratios)


def _part_of_the_test_set(record: Mapping[str, Any]) -> str:
    """On how many images a cell's numbers rest, if not on all; flagged as what it says."""
    images = record.get("images") or {"attacked": 0, "test_set": 0}
    attacked, test_set = images["attacked"], images["test_set"]
    return f"{attacked:,} of {test_set:,} images" if attacked < test_set else ""


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The numbers of one cell file, a dictionary each; none of a cell that failed.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: naming a file that is damaged.
    """
    try:
        return list(cell_rows(read_cell(path)))
    except FileError:
        if is_in_place(path):
            return []
        raise


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
    deserve suspicion (:mod:`workflow.artifacts.numbers.suspicion`). Cells that failed have no rows;
    ``attrs["failed"]`` counts them.

    Raises:
        ValueError: naming a file that cannot be read.
    """
    cells = [read_rows(path) for path in paths]
    frame = as_frame(row for rows in cells for row in rows)
    frame.attrs["failed"] = cells.count([])
    return frame

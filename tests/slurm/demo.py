"""Whether the results of two projects are the same, and each cell was alone on its GPU."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

from rst_core.storage import load_tensors, read_header

DEMO = "demo/matrix.yaml"


def records(folder: Path) -> dict[str, Any]:
    """What a project's cell files hold, by path."""
    return {
        str(path.relative_to(folder)): json.loads(path.read_text())
        for path in sorted((folder / "results").glob("**/cells/**/*.json"))
    }


def provenances(folder: Path) -> dict[str, dict[str, Any]]:
    """Of every job's cell, where and when it was made, by path."""
    models = (folder / "results").glob("**/cells/**/best_val/*.pt")
    found = {str(m.relative_to(folder)): read_header(m)["provenance"] for m in models}
    return found | {name: record["provenance"] for name, record in records(folder).items()}


def differences(one: Path, other: Path) -> list[str]:
    """A sentence for every cell and every artifact's numbers that two projects do not share.

    Compared are the numbers of cell files, the tensors of model files, and the CSV files of
    artifacts and claims; of the second project, everything must be in the first.
    """
    found = []
    ours = records(one)
    for name, record in records(other).items():
        if name not in ours:
            found.append(f"{name} is only in {other}")
        elif (ours[name]["results"], ours[name].get("queries")) != (
            record["results"],
            record.get("queries"),
        ):
            found.append(f"{name} differs")
    for path in sorted((other / "results/demo").rglob("*.*")):
        name = path.relative_to(other)
        if path.suffix not in (".pt", ".csv"):
            continue
        if not (one / name).is_file():
            found.append(f"{name} is only in {other}")
        elif not same_file(one / name, path):
            found.append(f"{name} differs")
    return found


def same_file(one: Path, other: Path) -> bool:
    """Whether two CSV files, or the tensors of two model files, are bit for bit the same."""
    if one.suffix == ".csv":
        return one.read_text() == other.read_text()
    return _same(load_tensors(one, "Model")[1], load_tensors(other, "Model")[1])


def _same(one: Any, other: Any) -> bool:
    """Whether two nests of plain values and tensors are bit for bit the same."""
    import torch

    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def overlaps(folder: Path) -> list[str]:
    """A sentence for every two cells that were on one GPU at a time, by their records."""
    found = []
    for (a, one), (b, other) in combinations(sorted(provenances(folder).items()), 2):
        if one["cuda_visible_devices"] is None:
            found.append(f"{a} had no GPU of its own")
        elif one["cuda_visible_devices"] == other["cuda_visible_devices"] and not (
            one["finished"] <= other["started"] or other["finished"] <= one["started"]
        ):
            gpu = one["cuda_visible_devices"]
            found.append(f"{a} and {b} were on GPU {gpu} at a time")
    return found

"""The demo through SLURM, whole or small, and whether its results are those of a local run."""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

from rst_core.storage import load_tensors, read_header
from tests.conftest import ROOT
from tests.e2e.conftest import copy_project
from tests.slurm.cluster import Cluster
from tests.slurm.submitter import Submitter

#: Everything but the report's pages: all cells and all artifacts.
TARGETS = ("all_tables", "all_figures", "claims", "all_cells")
DEMO = "demo/matrix.yaml"


def through_slurm(folder: Path, cluster: Cluster) -> int:
    """Send the whole demo through a cluster, started for it, and compare with ``make demo``.

    Raises:
        ClusterError: if the cluster does not start.
        FileExistsError: if there is such a folder.
    """
    folder.mkdir(parents=True)
    # Told to stop, it takes the cluster down as it does at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cluster.start()
    try:
        submitter = Submitter(copy_project(folder), cluster)
        submitter.machine()
        run = submitter.start(*TARGETS, config=[DEMO])
        print(f"The demo goes through SLURM; Snakemake's words are in {run.log}.", flush=True)
        try:
            status = run.finish(patience=math.inf)
        finally:
            submitter.end()
    finally:
        cluster.stop()
    if status:
        print(f"Snakemake failed; see {run.log}", file=sys.stderr)
        return status
    found = overlaps(folder)
    if (ROOT / "results/demo/cells").is_dir():
        found += differences(ROOT, folder)
    else:
        print("There are no results of 'make demo' here to compare with.")
    print(
        "\n".join(found) or f"{len(records(folder))} cells, each alone on its GPU; no difference."
    )
    return 1 if found else 0


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
        elif not _equal(one / name, path):
            found.append(f"{name} differs")
    return found


def _equal(one: Path, other: Path) -> bool:
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

"""The workflow's own cost: a dry run, a plan and a status of 50,000 cells."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.ratios import Ratio, seconds
from workflow.plan.needs import Graph, whole
from workflow.plan.project import Project

ROOT = Path(__file__).resolve().parents[1]
#: Seeds with which the paper's matrix has 50,000 cells.
SEEDS = 32


def dry_run() -> list[Ratio]:
    """A dry run of the full matrix, in seconds and gigabytes."""
    wall = seconds(partial(run, ["snakemake", "all_cells", "-n", "--profile", "slurm"], ROOT))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    what, remark = "dry run of the full matrix", "largest child so far"
    return [
        Ratio(what, "one second", (wall,), "at most", 60),
        Ratio(what, "one gigabyte", (peak,), "at most", 1, remark),
    ]


def status(rounds: int, seeds: int = SEEDS) -> list[Ratio]:
    """``rst plan`` and ``rst status`` of 50,000 cells, none of them finished: seconds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copy(ROOT / "config.yaml", root)
        (root / "seeds.yaml").write_text(json.dumps({"seeds": list(range(seeds))}))
        matrix = Project(root, [root / "seeds.yaml"]).matrix
        cells = whole(Graph(matrix).jobs(matrix.all_cells()))
        run(["workflow.cli", "plan", "all_cells"], root)  # counts operations, once
        results = []
        for name in ("plan", "status"):
            command = ["workflow.cli", name, "all_cells", "--configfile", "seeds.yaml"]
            took = tuple(seconds(partial(run, command, root)) for _ in range(rounds))
            what = f"rst {name} of {len(cells):,} cells"
            results.append(Ratio(what, "one second", took, "at most", 10, "none is finished"))
    return results


def run(command: list[str], folder: Path) -> None:
    """Run a module of this environment in a folder.

    Raises:
        RuntimeError: if it fails, with the end of what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")

"""The workflow's own cost: a dry run."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.ratios import Ratio, seconds

ROOT = Path(__file__).resolve().parents[1]


def dry_run() -> list[Ratio]:
    """A dry run of the full matrix, in seconds and gigabytes."""
    wall = seconds(partial(run, ["snakemake", "all_cells", "-n", "--profile", "slurm"], ROOT))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    what, remark = "dry run of the full matrix", "largest child so far"
    return [
        Ratio(what, "one second", (wall,), "at most", 60),
        Ratio(what, "one gigabyte", (peak,), "at most", 0.5, remark),
    ]


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

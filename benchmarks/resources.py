"""The workflow's own cost: a dry run."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from benchmarks.ratios import Ratio, seconds

ROOT = Path(__file__).resolve().parents[1]


def dry_run() -> list[Ratio]:
    """A dry run of the full matrix, in seconds and gigabytes."""
    wall = seconds(_dry_run)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
    what, remark = "dry run of the full matrix", "largest child so far"
    return [
        Ratio(what, "one second", (wall,), "at most", 60),
        Ratio(what, "one gigabyte", (peak,), "at most", 0.5, remark),
    ]


def _dry_run() -> None:
    """Raises ``RuntimeError`` if it fails, with the end of what it printed."""
    command = [sys.executable, "-m", "snakemake", "all_cells", "-n", "--profile", "slurm"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the dry run failed: {done.stderr.strip()[-2000:]}")

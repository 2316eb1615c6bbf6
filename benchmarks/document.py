"""Results as CSV and as the tables of docs/performance.md."""

from __future__ import annotations

import csv
import io
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch
from tabulate import tabulate

from benchmarks.ratios import Ratio
from rst_core.job.records import source_revision


def machine() -> str:
    """One line on where and when this was measured."""
    names = {
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    }
    cpu = ", ".join(sorted(names)) or platform.processor()
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{os.cpu_count()} cores of {cpu}; {device}; {torch.get_num_threads()} threads; "
        f"torch {torch.__version__}; Python {platform.python_version()}; "
        f"{datetime.now(UTC):%Y-%m-%d}; revision {source_revision()}"
    )


def ratio_table(ratios: Sequence[Ratio]) -> str:
    """Markdown, one line a ratio: median, range, rounds, target."""
    head = ["what", "against", "measured", "range", "rounds", "to reach", "", "remark"]
    return str(tabulate([_line(r) for r in ratios], head, "pipe", disable_numparse=True))


def _line(r: Ratio) -> list[str]:
    bound = "–" if r.target is None else f"{'≤' if r.sense == 'at most' else '≥'} {r.target:.3g}"
    span = f"{min(r.values):.3g}–{max(r.values):.3g}" if len(r.values) > 1 else "–"
    verdict = {True: "reached", False: "**missed**", None: ""}[r.reached]
    count = str(len(r.values))
    return [r.what, r.against, f"{r.median:.3g}", span, count, bound, verdict, r.remark]


def ratios_csv(ratios: Sequence[Ratio]) -> str:
    """CSV, one line a ratio and round."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["what", "against", "round", "value", "sense", "target", "remark"])
    for r in ratios:
        target = "" if r.target is None else f"{r.target:.6g}"
        for i, value in enumerate(r.values):
            writer.writerow([r.what, r.against, i, f"{value:.6g}", r.sense, target, r.remark])
    return text.getvalue()

"""Results as CSV, a picture and the tables of docs/performance.md."""

from __future__ import annotations

import csv
import io
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks.growth import Point
from benchmarks.ratios import Ratio
from rst_core.records import source_revision


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
    lines = ["| what | against | measured | range | rounds | to reach | | remark |"]
    lines.append("|---" * 8 + "|")
    for r in ratios:
        sign = "≤" if r.sense == "at most" else "≥"
        bound = "–" if r.target is None else f"{sign} {r.target:.3g}"
        span = f"{min(r.values):.3g}–{max(r.values):.3g}" if len(r.values) > 1 else "–"
        verdict = {True: "reached", False: "**missed**", None: ""}[r.reached]
        lines.append(
            f"| {r.what} | {r.against} | {r.median:.3g} | {span} | {len(r.values)} | "
            f"{bound} | {verdict} | {r.remark} |"
        )
    return "\n".join(lines)


def ratios_csv(ratios: Sequence[Ratio]) -> str:
    """CSV, one line a ratio and round."""
    return _csv(
        ["what", "against", "round", "value", "sense", "target", "remark"],
        [
            [
                r.what,
                r.against,
                i,
                f"{v:.6g}",
                r.sense,
                "" if r.target is None else f"{r.target:.6g}",
                r.remark,
            ]
            for r in ratios
            for i, v in enumerate(r.values)
        ],
    )


def points_csv(points: Sequence[Point]) -> str:
    """CSV, one line a point of the growth plots."""
    return _csv(["axis", "value", "seconds"], [[a, v, f"{s:.6g}"] for a, v, s in points])


def _csv(head: list[str], rows: list[list[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def draw_growth(points: Sequence[Point], path: Path) -> None:
    """A panel an axis: seconds over its values, from zero."""
    import matplotlib.pyplot as plt

    from workflow.artifacts import style

    style.begin()
    axes_names = list(dict.fromkeys(axis for axis, _, _ in points))
    figure, axes = plt.subplots(
        1, len(axes_names), figsize=(2.3 * len(axes_names), 2.4), layout="constrained"
    )
    for ax, name in zip(axes, axes_names, strict=True):
        here = [(v, s) for axis, v, s in points if axis == name]
        labels = [f"{v:g}" if isinstance(v, int | float) else str(v) for v, _ in here]
        ax.plot(range(len(here)), [s for _, s in here], marker="o", ms=4)
        ax.set_xticks(range(len(here)), labels)
        ax.set_ylim(0, 1.1 * max(s for _, s in here))
        ax.set_xlabel(name)
        ax.set_ylabel("seconds a step" if name != "cell files" else "seconds to all artifacts")
    style.save(figure, path)

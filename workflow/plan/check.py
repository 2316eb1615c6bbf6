"""Predicted against measured seconds of finished cells: ``python -m workflow.plan check``.

Attack cells say themselves how long their work took; training cells have Snakemake's
benchmark, which counts the whole job with its start. Both are times of the clock, so that
cells which had to share their processor with others look dearer than they are.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rst_core.spec import Cell
from workflow.plan.calibration import Calibration, NotCalibratedError, PlanError
from workflow.plan.cost import CostModel
from workflow.plan.finished import natural_shares, read_records, there
from workflow.plan.needs import Graph, kind_of, parts_of, whole
from workflow.plan.project import Project
from workflow.plan.text import table

#: Seconds that a kind's cells took, from which on it is judged by itself.
LONG = 60.0
#: Part of a page that shows the last comparison.
PART = "predicted against measured"


@dataclass(frozen=True)
class Comparison:
    """One finished cell: seconds predicted, without any margin, and measured."""

    cell: Cell
    predicted: float
    measured: float
    device: str

    @property
    def factor(self) -> float:
        """Measured over predicted: above 1 the plan promised too much."""
        return self.measured / self.predicted


def compare(project: Project, targets: Sequence[str], calibration: Calibration) -> list[Comparison]:
    """Every finished cell of the targets whose time is known and can be predicted."""
    graph = Graph(project.matrix, there(project.root))
    asked = (cell for part in parts_of(targets, project.matrix) for cell in part.cells)
    finished = [job.cell for job in whole(graph.jobs(asked)) if job.there]
    records = read_records(project.root, finished)
    shares = natural_shares(records)
    model = CostModel(
        project.matrix, calibration, project.images, lambda name: shares.get(name, 1.0)
    )
    found = []
    for record in records:
        if record.seconds is None:
            continue
        try:
            cost = model.cost(record.cell)
        except NotCalibratedError:
            continue
        predicted = cost.total if record.whole else cost.work
        found.append(Comparison(record.cell, predicted, record.seconds, record.device))
    return found


def check_text(
    comparisons: list[Comparison], calibration: Calibration, *, markdown: bool = False
) -> str:
    """A table by kind, and the factor over everything.

    Raises:
        PlanError: if there is nothing to compare.
    """
    _some(comparisons)
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for one in comparisons:
        groups.setdefault((kind_of(one.cell), one.cell.model.network.name), []).append(one)
    rows = [[*key, *_numbers(found)] for key, found in sorted(groups.items())]
    rows.append(["total", "", *_numbers(comparisons)])
    head = [
        "kind", "network", "cells", "predicted, s", "measured, s", "measured / predicted",
        "median cell",
    ]  # fmt: skip
    devices = sorted({one.device for one in comparisons if one.device})
    lines = [
        f"Predicted without margin: {calibration.origin}.",
        f"Measured: {', '.join(devices) or 'the device is not recorded'}.",
        "",
        table(head, rows, 2, markdown),
        "",
        f"Typical factor of one cell, either way: {_typical(comparisons):.2f}.",
    ]
    return "\n".join(lines) + "\n"


def outside(comparisons: list[Comparison], within: float) -> list[str]:
    """What is predicted worse than within a factor, either way: the whole, and long kinds.

    A kind of which all cells together took less than :data:`LONG` seconds is left to the
    whole: a moment in which the machine did something else would decide about it.

    Raises:
        PlanError: if there is nothing to compare.
    """
    _some(comparisons)
    kinds: dict[str, list[Comparison]] = {"everything": comparisons}
    for one in comparisons:
        kinds.setdefault(kind_of(one.cell), []).append(one)
    found = []
    for name, group in kinds.items():
        predicted, measured = _sums(group)
        factor = measured / predicted
        if max(factor, 1 / factor) > within and (name == "everything" or measured >= LONG):
            found.append(f"{name} took {factor:.2f} times what was predicted")
    return found


def _some(comparisons: list[Comparison]) -> None:
    if not comparisons:
        raise PlanError(
            "no finished cell has a time to compare with; make some first, or name their "
            "config with --configfile"
        )


def _sums(found: list[Comparison]) -> tuple[float, float]:
    return sum(c.predicted for c in found), sum(c.measured for c in found)


def _numbers(found: list[Comparison]) -> list[str]:
    predicted, measured = _sums(found)
    median = statistics.median(c.factor for c in found)
    return [
        f"{len(found):,}", f"{predicted:,.1f}", f"{measured:,.1f}",
        f"{measured / predicted:.2f}", f"{median:.2f}",
    ]  # fmt: skip


def _typical(comparisons: Iterable[Comparison]) -> float:
    """Median over cells of how far apart the two are, as a factor of at least 1."""
    return math.exp(statistics.median(abs(math.log(max(c.factor, 1e-9))) for c in comparisons))

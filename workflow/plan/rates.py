"""Operations a second of a cell: stated by the user, shown by finished cells, or assumed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rst_core.identity import Cell, TrainingCell
from rst_core.vocabulary import Precision
from workflow.plan.cost import Cost
from workflow.plan.needs import Group, group_of
from workflow.plan.project import Project

#: TFLOP/s by device and precision, where nobody stated a rate and nothing is finished: shares that
#: are assumed, not measured, of the peaks in NVIDIA's data sheets (A100, and H100 SXM without
#: sparsity). Matrix units wait for memory more often.
ASSUMED: dict[str, dict[Precision, float]] = {
    device: {
        Precision.FLOAT32: 0.5 * float32,
        Precision.TF32: 0.25 * tf32,
        Precision.BFLOAT16: 0.25 * bfloat16,
    }
    for device, float32, tf32, bfloat16 in (("A100", 19.5, 156, 312), ("H100", 67, 495, 989))
}
#: The device of :data:`ASSUMED` that plans are made for.
ASSUMED_DEVICE = "A100"
#: Finished cells of a group that are read to know its rate.
_SAMPLE = 20


@dataclass(frozen=True)
class Rate:
    """Floating-point operations a second, and what says so.

    Attributes:
        per_second: sustained by one device, or one job, with everything else that a cell does.
        basis: where it is from.
        cells: number of finished cells that showed it.
    """

    per_second: float
    basis: Literal["stated", "shown", "assumed"]
    cells: int = 0

    @property
    def origin(self) -> str:
        """For a column of a table."""
        return {"stated": "stated", "shown": f"{self.cells} finished", "assumed": "ASSUMED"}[
            self.basis
        ]


@dataclass
class Rates:
    """The rate of every group of cells.

    Attributes:
        otherwise: of a cell that nothing finished is like.
        devices: on which the finished cells were computed, as far as they say.
    """

    otherwise: Callable[[Cell], Rate]
    devices: set[str] = field(default_factory=set)
    #: Operations, seconds and number of finished cells, by how they are like others.
    _shown: dict[tuple[str, ...], tuple[float, float, int]] = field(default_factory=dict)

    def of(self, cell: Cell) -> Rate:
        """Shown by the finished cells that are most like it, else :attr:`otherwise`."""
        for key in _likeness(cell):
            operations, seconds, cells = self._shown.get(key, _NONE)
            if seconds > 0:
                return Rate(operations / seconds, "shown", cells)
        return self.otherwise(cell)

    def add(self, cell: Cell, operations: float, seconds: float) -> None:
        """Take a finished cell into account."""
        for key in _likeness(cell):
            before = self._shown.get(key, _NONE)
            self._shown[key] = before[0] + operations, before[1] + seconds, before[2] + 1


_NONE = (0.0, 0.0, 0)


def _likeness(cell: Cell) -> tuple[tuple[str, ...], ...]:
    """Kind, network and dataset; kind and network; kind."""
    group = group_of(cell)
    return group, group[:2], group[:1]


def rates(
    project: Project,
    cost: Callable[[Cell], Cost],
    finished: Iterable[Cell],
    tflops: float | None,
) -> Rates:
    """Rates of a project's cells.

    Args:
        project: whose results are read.
        cost: of a cell.
        finished: cells whose files exist; some of each group are read.
        tflops: 10^12 operations a second that the user states for all cells; None for what
            finished cells show, and :data:`ASSUMED` before there are any.
    """
    if tflops is not None:
        stated = Rate(tflops * 1e12, "stated")
        return Rates(lambda cell: stated)

    def assumed(cell: Cell) -> Rate:
        precision = Precision.FLOAT32  # of everything that is measured
        if isinstance(cell, TrainingCell):
            precision = project.matrix.training_settings(cell.model.network.dataset).precision
        return Rate(ASSUMED[ASSUMED_DEVICE][precision] * 1e12, "assumed")

    found, read = Rates(assumed), Counter[Group]()
    for cell in finished:
        group = group_of(cell)
        read[group] += 1
        if read[group] > _SAMPLE:
            continue
        seconds, device = _measured(project, cell)
        if seconds:
            found.add(cell, cost(cell).operations, seconds)
            found.devices |= {device} - {""}
    return found


def _measured(project: Project, cell: Cell) -> tuple[float, str]:
    """Seconds that a cell took, and its device; zero and nothing if its record does not say.

    A training's seconds are those of its epochs, from its metrics: its model file is torch's.
    """
    file = Path(project.root, project.matrix.file(cell))
    try:
        if isinstance(cell, TrainingCell):
            lines = (file.parents[1] / "metrics.jsonl").read_text("utf-8").splitlines()
            epochs = [json.loads(line)["seconds"] for line in lines]
            settings = project.matrix.training_settings(cell.model.network.dataset)
            return (sum(epochs) if len(epochs) == settings.epochs else 0.0), ""
        work = json.loads(file.read_text("utf-8"))["provenance"]
        # Of a continued attack the record has the last session's seconds only.
        complete = work.get("sessions", 1) == 1
        return (float(work["wall_seconds"]) if complete else 0.0), str(work["device"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0, ""

"""Operations a second of a cell: stated by the user, measured on finished cells, or assumed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Literal, NamedTuple

from rst_core.curves import curve_path
from rst_core.identity import Cell, TrainingCell
from rst_core.vocabulary import Precision
from workflow.plan.cost import CostModel
from workflow.plan.needs import group_of
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


class Rate(NamedTuple):
    """Floating-point operations a second, and what says so.

    Attributes:
        per_second: sustained by one device, or one job, with everything else that a cell does.
        basis: where it is from.
        origin: the same for a column of a table.
    """

    per_second: float
    basis: Literal["stated", "measured", "assumed"]
    origin: str


class Rates:
    """Costs of a project's cells and the rates at which they are made.

    Attributes:
        cost: of a cell.
        devices: on which the finished cells were computed, as far as they say.

    Args:
        project: whose results are read.
        finished: cells whose files exist.
        tflops: 10^12 operations a second that the user states for all cells; None for those
            measured on finished cells, and :data:`ASSUMED` where none is finished.
    """

    def __init__(self, project: Project, finished: Iterable[Cell], tflops: float | None) -> None:
        self.cost = CostModel(project)
        self.devices: set[str] = set()
        self._project = project
        self._stated = None if tflops is None else Rate(tflops * 1e12, "stated", "stated")
        #: Measured on finished cells, by how they are like others.
        self._rates = {} if self._stated else self._read(finished)

    def _read(self, finished: Iterable[Cell]) -> dict[tuple[str, ...], Rate]:
        work = defaultdict[tuple[str, ...], list[tuple[float, float]]](list)
        for cell in finished:
            seconds, device = _seconds_and_device(self._project, cell)
            if seconds:
                self.devices |= {device} - {""}
                for alike in _likeness(cell):
                    work[alike].append((self.cost(cell).operations, seconds))
        rates = {}
        for alike, found in work.items():
            operations, seconds = map(sum, zip(*found, strict=True))
            origin = f"{len(found)} finished" if alike else f"{len(found)} of other kinds"
            rates[alike] = Rate(operations / seconds, "measured", origin)
        return rates

    def of(self, cell: Cell) -> Rate:
        """Stated, or measured on the finished cells that are most like this one, or assumed."""
        if self._stated:
            return self._stated
        for alike in _likeness(cell):
            if alike in self._rates:
                return self._rates[alike]
        precision = Precision.FLOAT32  # of everything that is measured
        if isinstance(cell, TrainingCell):
            settings = self._project.matrix.training_settings(cell.model.network.dataset)
            precision = settings.precision
        return Rate(ASSUMED[ASSUMED_DEVICE][precision] * 1e12, "assumed", "ASSUMED")

    def seconds(self, cell: Cell) -> float:
        """That a cell takes on one device."""
        return self.cost(cell).operations / self.of(cell).per_second


def _likeness(cell: Cell) -> tuple[tuple[str, ...], ...]:
    """Kind, network and dataset; kind and network; kind; nothing: cells of one machine."""
    group = group_of(cell)
    return group, group[:2], group[:1], ()


def _seconds_and_device(project: Project, cell: Cell) -> tuple[float, str]:
    """Seconds that a cell took, and its device; zero and nothing if its record does not say.

    A training's seconds are those of its epochs, from its metrics: its model file is torch's.
    Not with the readers that verify: those take 0.2 ms a cell, and 3 ms a curve of 160 epochs.
    """
    file = project.root / project.matrix.file(cell)
    try:
        if isinstance(cell, TrainingCell):
            lines = curve_path(file).read_text("utf-8").splitlines()
            epochs = [json.loads(line)["seconds"] for line in lines]
            settings = project.matrix.training_settings(cell.model.network.dataset)
            return (sum(epochs) if len(epochs) == settings.epochs else 0.0), ""
        work = json.loads(file.read_text("utf-8"))["provenance"]
        # Of a continued attack the record has the last session's seconds only.
        complete = work.get("sessions", 1) == 1
        return (float(work["wall_seconds"]) if complete else 0.0), str(work["device"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0, ""

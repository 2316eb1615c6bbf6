"""What cells need in turn, and what of it is missing.

The same answers that Snakemake's rules get from the matrix, without Snakemake: thousands of
cells in a fraction of a second. What lies under a fresh file is not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rst_core.identity import CandidateSet, Cell, Evaluation, TrainingCell, TransferRow
from workflow import machine
from workflow.matrix import Matrix
from workflow.plan.project import PlanError

#: Kind, network and dataset of cells that take about as long.
Group = tuple[str, str, str]


def kind_label(cell: Cell) -> str:
    """The rule that makes a cell, with the attack that it is about."""
    rule = machine.kind_of(cell)
    if isinstance(cell, TransferRow) and isinstance(cell.model, CandidateSet):
        rule = f"adaptive_{rule}"
    return f"{rule} {cell.attack}" if isinstance(cell, Evaluation | TransferRow) else rule


def group_of(cell: Cell) -> Group:
    """The row of a plan in which a cell is counted."""
    network = cell.model.network
    return kind_label(cell), network.name, network.dataset


@dataclass(eq=False)
class Job:
    """What makes one cell. Jobs are compared by identity: hashing a cell takes its time.

    Attributes:
        cell: which it makes.
        written_at: when its file was written, in seconds since 1970; None if there is none.
        inputs: the jobs that make what it is made from.
    """

    cell: Cell
    written_at: float | None
    inputs: list[Job]

    @property
    def exists(self) -> bool:
        """Whether the cell's file exists."""
        return self.written_at is not None


class Graph:
    """Jobs of a matrix, one for each cell that was asked for or is needed.

    Args:
        matrix: says what a cell is made from.
        written_at: when a cell's file was written; None if there is none.
    """

    def __init__(
        self, matrix: Matrix, written_at: Callable[[Cell], float | None] = lambda cell: None
    ) -> None:
        self._matrix = matrix
        self._written_at = written_at
        self._jobs: dict[Cell, Job] = {}

    def jobs(self, cells: Iterable[Cell]) -> list[Job]:
        """The jobs that make these cells: one run makes all selections of a model.

        Raises:
            PlanError: for a selection that the config does not keep.
        """
        return list(dict.fromkeys(self._job(cell) for cell in cells))

    def _job(self, cell: Cell) -> Job:
        if cell not in self._jobs:
            config = self._matrix.config
            if isinstance(cell, TrainingCell) and cell.selection not in config.keep_selections:
                raise PlanError(
                    f"{cell.path} is of selection {cell.selection}; allowed is one of "
                    f"keep_selections, {', '.join(config.keep_selections)}"
                )
            if isinstance(cell, TrainingCell) and cell.selection != config.selection:
                self._jobs[cell] = self._job(TrainingCell(cell.model, config.selection))
            else:
                under = self.jobs(self._matrix.loaded(self._matrix.input_models(cell)))
                self._jobs[cell] = Job(cell, self._written_at(cell), under)
        return self._jobs[cell]


def with_inputs(jobs: Iterable[Job], stop: Callable[[Job], bool] = lambda job: False) -> list[Job]:
    """These jobs and everything under them, inputs first, each once, down to where one stops."""
    found: dict[Job, None] = {}

    def visit(job: Job) -> None:
        if job not in found and not stop(job):
            for other in job.inputs:
                visit(other)
            found[job] = None

    for job in jobs:
        visit(job)
    return list(found)


def missing(jobs: Iterable[Job]) -> list[Job]:
    """What must run for these: inputs first, each once."""
    return with_inputs(jobs, lambda job: job.exists)

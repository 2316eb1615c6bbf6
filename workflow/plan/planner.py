"""The plan of some targets: how many cells, how many hours, how much disk. Starts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rst_core.identity import TrainingCell
from workflow.plan.needs import Graph, Group, Job, group_of, missing, whole
from workflow.plan.project import Project
from workflow.plan.rates import Rate, Rates
from workflow.plan.targets import parts_of


@dataclass
class Row:
    """Cells of one kind, network and dataset.

    Attributes:
        rate: operations a second of all of them; None of a sum over rows.
        cells: number in all.
        there: whose files exist.
        to_do: that must be made.
        seconds: that those take on one device.
    """

    rate: Rate | None = None
    cells: int = 0
    there: int = 0
    to_do: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What targets need, and what that costs.

    Attributes:
        project: whose targets they are.
        parts: by its name, the jobs that each part of the targets asks for.
        jobs: those and everything under them, inputs first.
        to_do: what of it must run, inputs first.
        rates: seconds of each job.
    """

    project: Project
    parts: Mapping[str, list[Job]]
    jobs: list[Job]
    to_do: list[Job]
    rates: Rates

    @cached_property
    def seconds(self) -> dict[Job, float]:
        """Of each job that must run, inputs first."""
        return {job: self.rates.seconds(job.cell) for job in self.to_do}

    @cached_property
    def rows(self) -> dict[Group, Row]:
        """Cells by kind, network and dataset."""
        rows: dict[Group, Row] = {}
        for job in self.jobs:
            group = group_of(job.cell)
            if group not in rows:
                rows[group] = Row(self.rates.of(job.cell))
            self._count(job, rows[group])
        return dict(sorted(rows.items()))

    @cached_property
    def total(self) -> Row:
        """All cells."""
        total = Row()
        for job in self.jobs:
            self._count(job, total)
        return total

    def _count(self, job: Job, row: Row) -> None:
        row.cells += 1
        row.there += job.exists
        row.to_do += job in self.seconds
        row.seconds += self.seconds.get(job, 0.0)

    @property
    def bases(self) -> set[str]:
        """What the rates of its cells rest on."""
        return {self.rates.of(job.cell).basis for job in self.jobs}

    def additions(self) -> Iterator[tuple[str, int, list[Job]]]:
        """Each part with the number of its cells, and the jobs that only it adds to run."""
        known: set[Job] = set()
        for name, jobs in self.parts.items():
            added = [job for job in missing(jobs) if job not in known]
            known.update(added)
            yield name, len(whole(jobs)), added

    def operations(self, *, trainings: bool) -> float:
        """Floating-point operations of trainings, or of the rest, which is float32 always."""
        return sum(
            self.rates.cost(job.cell).operations
            for job in self.to_do
            if isinstance(job.cell, TrainingCell) == trainings
        )

    def bytes(self) -> float:
        """Of all files that must be made, at most."""
        return sum(self.rates.cost(job.cell).bytes for job in self.to_do)

    def wall_seconds(self, devices: int) -> float:
        """Seconds that so many devices take at least."""
        chain = sum(self.seconds[job] for job in longest_chain(self.seconds))
        return max(self.total.seconds / devices, chain)

    def remarks(self) -> list[str]:
        """What a reader must know."""
        entries = self.project.matrix.config.datasets
        datasets = dict.fromkeys(job.cell.model.network.dataset for job in self.jobs)
        remarks = [remark for name in datasets if (remark := self.project.images(name).remark)]
        remarks += [
            f"{name} stands in for {entries[name].stand_in_for}"
            for name in datasets
            if entries[name].stand_in_for
        ]
        unasked = sum(not job.exists and job not in self.seconds for job in self.jobs)
        if unasked:
            remarks.append(
                f"{unasked:,} cells are missing, but are not needed: the files made from them exist"
            )
        return remarks


def longest_chain(seconds: Mapping[Job, float]) -> list[Job]:
    """The jobs, first to last, that no number of devices makes shorter; inputs come first."""
    until: dict[Job, float] = {}
    before: dict[Job, Job | None] = {}
    for job, own in seconds.items():
        under = [other for other in job.inputs if other in until]
        before[job] = max(under, key=until.__getitem__, default=None)
        until[job] = own + max((until[other] for other in under), default=0.0)
    chain: list[Job] = []
    at: Job | None = max(until, key=until.__getitem__, default=None)
    while at is not None:
        chain.append(at)
        at = before[at]
    return chain[::-1]


def make_plan(
    project: Project, targets: Sequence[str], tflops: float | None = None, *, anew: bool = False
) -> Plan:
    """Plan targets.

    Args:
        project: the matrix, and what of it is there.
        targets: as Snakemake knows them.
        tflops: as for :class:`workflow.plan.rates.Rates`.
        anew: count what exists as well: it shows rates, and is planned like the rest.

    Raises:
        PlanError: if a target names nothing, or a dataset's size is not known.
        ConfigError: if a cell asks for what the config does not have.
    """
    graph = Graph(project.matrix, project.written_at)
    parts = {name: graph.jobs(cells) for name, cells in parts_of(targets, project.matrix).items()}
    asked = [job for jobs in parts.values() for job in jobs]
    jobs = whole(asked)
    rates = Rates(project, [job.cell for job in jobs if job.exists], tflops)
    return Plan(project, parts, jobs, jobs if anew else missing(asked), rates)

"""The plan of some targets: how many cells, how many hours, how much disk. Starts nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from rst_core.identity import TrainingCell
from workflow.plan.needs import Graph, Group, Job, group_of, missing, with_inputs
from workflow.plan.project import Project
from workflow.plan.rates import Rates
from workflow.plan.targets import parts_of


class Row(NamedTuple):
    """Some cells: how many there are, whose files exist, and that must be made.

    ``seconds`` is what those to make take on one device.
    """

    cells: int
    exist: int
    to_do: int
    seconds: float


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
    def groups(self) -> dict[Group, list[Job]]:
        """Jobs by kind, network and dataset."""
        groups = defaultdict[Group, list[Job]](list)
        for job in self.jobs:
            groups[group_of(job.cell)].append(job)
        return dict(sorted(groups.items()))

    def row(self, jobs: Sequence[Job]) -> Row:
        """Some of its jobs in numbers."""
        to_do = [self.seconds[job] for job in jobs if job in self.seconds]
        return Row(len(jobs), sum(job.exists for job in jobs), len(to_do), sum(to_do))

    @cached_property
    def total(self) -> Row:
        """All cells."""
        return self.row(self.jobs)

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
            yield name, len(with_inputs(jobs)), added

    def operations(self, *, trainings: bool) -> float:
        """Floating-point operations of trainings, or of the rest, which is float32 always."""
        return sum(
            self.rates.cost(job.cell).operations
            for job in self.to_do
            if isinstance(job.cell, TrainingCell) == trainings
        )

    @property
    def bytes(self) -> float:
        """Of all files that must be made, at most."""
        return sum(self.rates.cost(job.cell).bytes for job in self.to_do)

    def wall_seconds(self, devices: int) -> float:
        """Seconds that so many devices take at least: cells wait for those that they need."""
        until: dict[Job, float] = {}
        for job, own in self.seconds.items():
            until[job] = own + max((until.get(other, 0.0) for other in job.inputs), default=0.0)
        return max(self.total.seconds / devices, *until.values())

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
        not_needed = self.total.cells - self.total.exist - self.total.to_do
        if not_needed > 0:
            remarks.append(
                f"{not_needed:,} cells are missing and not needed: the files made from them exist"
            )
        return remarks


def make_plan(
    project: Project,
    targets: Sequence[str],
    tflops: float | None = None,
    *,
    with_finished: bool = False,
) -> Plan:
    """Plan targets, at a rate if the user stated one.

    ``with_finished``: plan cells that exist like the rest; rates are still measured on them.

    Raises:
        PlanError: if a target names nothing, or a dataset's size is not known.
        ConfigError: if a cell asks for what the config does not have.
    """
    graph = Graph(project.matrix, project.written_at)
    parts = {name: graph.jobs(cells) for name, cells in parts_of(targets, project.matrix).items()}
    asked = [job for jobs in parts.values() for job in jobs]
    jobs = with_inputs(asked)
    rates = Rates(project, [job.cell for job in jobs if job.exists], tflops)
    return Plan(project, parts, jobs, jobs if with_finished else missing(asked), rates)

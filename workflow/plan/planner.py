"""The plan of some targets: how many cells, how many hours, how much disk. Starts nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rst_core.identity import TrainingCell
from workflow.plan.cost import Cost, CostModel
from workflow.plan.needs import Graph, Group, Job, group_of, missing, whole
from workflow.plan.project import Project
from workflow.plan.rates import Rate, Rates, rates
from workflow.plan.targets import Part, parts_of


@dataclass
class Row:
    """Cells of one kind, network and dataset.

    Attributes:
        rate: operations a second of all of them.
        cells: number in all.
        there: whose files exist.
        to_do: that must be made.
        seconds: that those take on one device.
    """

    rate: Rate
    cells: int = 0
    there: int = 0
    to_do: int = 0
    seconds: float = 0.0


class Addition(NamedTuple):
    """What a part of the targets adds to the parts before it.

    Attributes:
        name: of the artifact, experiment, cell or target.
        cells: that it needs in all.
        adds: that must be made for it and for no part before it.
        seconds: of those, on one device.
    """

    name: str
    cells: int
    adds: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """Everything ``rst plan`` prints.

    Attributes:
        rows: by kind, network and dataset.
        additions: part by part.
        seconds: of each job that must run, inputs first.
        costs: of each of them.
        devices: on which finished cells showed their rate.
        remarks: what a reader must know.
    """

    rows: dict[Group, Row]
    additions: list[Addition]
    seconds: dict[Job, float]
    costs: dict[Job, Cost]
    devices: set[str]
    remarks: list[str]

    @property
    def total(self) -> Row:
        """Sum of the rows, which has no rate."""
        total = Row(Rate(0.0, "assumed"))
        for row in self.rows.values():
            total.cells += row.cells
            total.there += row.there
            total.to_do += row.to_do
            total.seconds += row.seconds
        return total

    def operations(self, *, trainings: bool) -> float:
        """Floating-point operations of trainings, or of the rest, which is float32 always."""
        return sum(
            cost.operations
            for job, cost in self.costs.items()
            if isinstance(job.cell, TrainingCell) == trainings
        )

    def wall_seconds(self, devices: int) -> float:
        """Seconds that so many devices take at least."""
        return max(
            sum(self.seconds.values()) / devices,
            sum(self.seconds[job] for job in longest_chain(self.seconds)),
        )


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
        tflops: as in :func:`workflow.plan.rates.rates`.
        anew: count what exists as well: it shows rates, and is planned like the rest.

    Raises:
        PlanError: if a target names nothing, or a dataset's size is not known.
        ConfigError: if a cell asks for what the config does not have.
    """
    parts, graph = parts_of(targets, project.matrix), Graph(project.matrix, project.finished)
    asked = [graph.jobs(part.cells) for part in parts]
    walks = (whole, whole if anew else missing)
    jobs, to_do = (walk(job for some in asked for job in some) for walk in walks)
    cost = CostModel(project)
    found = rates(project, cost, (job.cell for job in jobs if job.there), tflops)
    costs = {job: cost(job.cell) for job in to_do}
    seconds = {job: costs[job].operations / found.of(job.cell).per_second for job in to_do}
    return Plan(
        rows=_rows(jobs, seconds, found),
        additions=_additions(parts, asked, seconds),
        seconds=seconds,
        costs=costs,
        devices=found.devices,
        remarks=_remarks(project, jobs, costs),
    )


def _rows(jobs: list[Job], seconds: dict[Job, float], found: Rates) -> dict[Group, Row]:
    rows: dict[Group, Row] = {}
    for job in jobs:
        group = group_of(job.cell)
        if group not in rows:
            rows[group] = Row(found.of(job.cell))
        row = rows[group]
        row.cells += 1
        row.there += job.there
        row.to_do += job in seconds
        row.seconds += seconds.get(job, 0.0)
    return dict(sorted(rows.items()))


def _additions(
    parts: list[Part], asked: list[list[Job]], seconds: dict[Job, float]
) -> list[Addition]:
    known: set[Job] = set()
    found = []
    for part, jobs in zip(parts, asked, strict=True):
        added = [job for job in missing(jobs) if job not in known]
        known.update(added)
        total = sum(seconds[job] for job in added)
        found.append(Addition(part.name, len(whole(jobs)), len(added), total))
    return found


def _remarks(project: Project, jobs: list[Job], costs: dict[Job, Cost]) -> list[str]:
    entries = project.matrix.config.datasets
    datasets = dict.fromkeys(job.cell.model.network.dataset for job in jobs)
    remarks = [remark for name in datasets if (remark := project.images(name).remark)]
    remarks += [
        f"{name} stands in for {entries[name].stand_in_for}"
        for name in datasets
        if entries[name].stand_in_for
    ]
    if unasked := sum(not job.there and job not in costs for job in jobs):
        remarks.append(f"{unasked:,} cells are missing, but only under files that exist: not to do")
    return remarks

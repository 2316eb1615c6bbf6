"""The plan of some targets: how many cells, how many hours, how much disk. Starts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rst_core.spec import CandidateSet, Cell, Evaluation, TrainingCell, TransferRow
from workflow.plan.calibration import Calibration, NotCalibratedError
from workflow.plan.cost import CostModel
from workflow.plan.finished import natural_shares, read_records, there
from workflow.plan.needs import Graph, Job, Part, kind_of, missing, parts_of, whole
from workflow.plan.project import Project
from workflow.plan.schedule import longest_chain, wall_seconds
from workflow.plan.sizes import checkpoint_bytes, file_bytes

#: What hours are multiplied with: nodes differ, disks are busy, first epochs are slow.
MARGIN = 1.2


@dataclass
class Count:
    """Cells of one row.

    Attributes:
        cells: in all.
        there: whose files exist.
        to_do: that must be made.
        seconds: that those take, the margin included.
        bytes: that their files take.
    """

    cells: int = 0
    there: int = 0
    to_do: int = 0
    seconds: float = 0.0
    bytes: float = 0.0


@dataclass(frozen=True)
class Addition:
    """What a part of the target adds to the parts before it.

    Attributes:
        part: artifact, experiment or cell.
        cells: that it needs in all.
        there: of those, that exist.
        adds: cells that must be made for it and for no part before it.
        seconds: of the added cells, by network.
        bytes: of their files.
    """

    part: Part
    cells: int
    there: int
    adds: int
    seconds: dict[str, float]
    bytes: float


@dataclass(frozen=True)
class Plan:
    """Everything ``rst plan`` prints.

    Attributes:
        rows: counts by (kind, network, dataset).
        additions: part by part.
        to_do: cells that must be made, inputs first.
        seconds: of each of them, the margin included.
        inputs: numbers of those of them that each is made from.
        calibration: what hours come from; None where none was to be had.
        margin: that is in all seconds.
        uncalibrated: why some cells have no hours, each reason with its number of cells.
        checkpoint_bytes: of the largest unfinished run.
        standing: measured share of standing images by dataset.
        remarks: what a reader must know.
    """

    rows: dict[tuple[str, str, str], Count]
    additions: list[Addition]
    to_do: list[Cell]
    seconds: list[float]
    inputs: list[list[int]]
    calibration: Calibration | None
    margin: float
    uncalibrated: dict[str, int]
    checkpoint_bytes: float
    standing: dict[str, float]
    remarks: list[str] = field(default_factory=list)

    @property
    def total(self) -> Count:
        """Sum of the rows."""
        rows = self.rows.values()
        return Count(
            sum(r.cells for r in rows),
            sum(r.there for r in rows),
            sum(r.to_do for r in rows),
            sum(r.seconds for r in rows),
            sum(r.bytes for r in rows),
        )

    def wall(self, devices: int) -> float:
        """Seconds until the last cell is done."""
        return wall_seconds(self.seconds, self.inputs, devices)

    def chain(self) -> list[int]:
        """Numbers of the cells to do in the longest chain of them."""
        return longest_chain(self.seconds, self.inputs)


def make_plan(
    project: Project,
    targets: Sequence[str],
    calibration: Calibration | None,
    margin: float = MARGIN,
) -> Plan:
    """Plan targets. Without a calibration cells are counted and hours are left out.

    Raises:
        PlanError: if a target names nothing, or a dataset's size is unknown.
        ConfigError: if a cell asks for what the config does not have.
    """
    parts = parts_of(targets, project.matrix)
    graph = Graph(project.matrix, there(project.root))
    asked = [graph.jobs(part.cells) for part in parts]
    jobs = whole(job for some in asked for job in some)
    standing = natural_shares(read_records(project.root, _measured(jobs)))
    model = None
    if calibration is not None:
        model = CostModel(
            project.matrix, calibration, project.images, lambda name: standing.get(name, 1.0)
        )
    pricing = _Pricing(project, model, margin)
    to_do = missing(job for some in asked for job in some)
    prices = {job: pricing.price(job.cell) for job in to_do}
    number = {job: i for i, job in enumerate(to_do)}
    return Plan(
        rows=_rows(jobs, prices),
        additions=_additions(parts, asked, prices),
        to_do=[job.cell for job in to_do],
        seconds=[prices[job].seconds for job in to_do],
        inputs=[[number[i] for i in job.inputs if i in number] for job in to_do],
        calibration=calibration,
        margin=margin,
        uncalibrated=pricing.uncalibrated,
        checkpoint_bytes=max((pricing.checkpoint(job.cell) for job in to_do), default=0.0),
        standing=standing,
        remarks=_remarks(project, jobs),
    )


def _measured(jobs: Iterable[Job]) -> list[Cell]:
    return [job.cell for job in jobs if job.there and not isinstance(job.cell, TrainingCell)]


def _rows(jobs: list[Job], prices: dict[Job, Price]) -> dict[tuple[str, str, str], Count]:
    rows: dict[tuple[str, str, str], Count] = {}
    for job in jobs:
        network = job.cell.model.network
        row = rows.setdefault((kind_of(job.cell), network.name, network.dataset), Count())
        row.cells += 1
        row.there += job.there
        if job in prices:
            row.to_do += 1
            row.seconds += prices[job].seconds
            row.bytes += prices[job].bytes
    return rows


def _additions(
    parts: list[Part], asked: list[list[Job]], prices: dict[Job, Price]
) -> list[Addition]:
    known: set[Job] = set()
    found = []
    for part, jobs in zip(parts, asked, strict=True):
        added = [job for job in missing(jobs) if job not in known]
        known.update(added)
        needed = whole(jobs)
        by_network: dict[str, float] = {}
        for job in added:
            name = job.cell.model.network.name
            by_network[name] = by_network.get(name, 0.0) + prices[job].seconds
        size = sum(prices[job].bytes for job in added)
        there = sum(job.there for job in needed)
        found.append(Addition(part, len(needed), there, len(added), by_network, size))
    return found


@dataclass(frozen=True)
class Price:
    """Of one cell: seconds, the margin included, and bytes."""

    seconds: float
    bytes: float


class _Pricing:
    """Seconds and bytes of cells, and why some have none."""

    def __init__(self, project: Project, model: CostModel | None, margin: float) -> None:
        self.project = project
        self.model = model
        self.margin = margin
        self.uncalibrated: dict[str, int] = {}

    def price(self, cell: Cell) -> Price:
        return Price(self._seconds(cell), self._bytes(cell))

    def _seconds(self, cell: Cell) -> float:
        if self.model is None:
            return 0.0
        try:
            return self.margin * self.model.cost(cell).total
        except NotCalibratedError as error:
            reason = str(error)
            self.uncalibrated[reason] = self.uncalibrated.get(reason, 0) + 1
            return 0.0

    def _bytes(self, cell: Cell) -> float:
        matrix = self.project.matrix
        judges = 1
        if isinstance(cell, TransferRow):
            judges = len(matrix.targets(cell))
        elif isinstance(cell, Evaluation) and isinstance(cell.model, CandidateSet):
            judges = len(cell.model.tickets)
        times = None
        if isinstance(cell, TrainingCell) and self.model is not None:
            try:
                times = self.model.network(cell.model.network)
            except NotCalibratedError:
                return 0.0
        tests = self.project.images(cell.model.network.dataset).test
        files = len(matrix.config.keep_selections) if isinstance(cell, TrainingCell) else 1
        return files * file_bytes(cell, times, tests, judges)

    def checkpoint(self, cell: Cell) -> float:
        if not isinstance(cell, TrainingCell) or self.model is None:
            return 0.0
        kept = len(self.project.matrix.config.keep_selections)
        try:
            return checkpoint_bytes(self.model.network(cell.model.network), kept)
        except NotCalibratedError:
            return 0.0


def _remarks(project: Project, jobs: list[Job]) -> list[str]:
    datasets = dict.fromkeys(job.cell.model.network.dataset for job in jobs)
    remarks = [project.images(name).remark for name in datasets]
    entries = project.matrix.config.datasets
    for name in datasets:
        if entries[name].stand_in_for:
            remarks.append(f"{name} stands in for {entries[name].stand_in_for}")
    return [remark for remark in remarks if remark]

"""The plan of some targets: how many cells, how many hours, how much disk. Starts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rst_core.spec import CandidateSet, Cell, Evaluation, TrainingCell, TransferRow
from workflow.plan.calibration import Calibration, NotCalibrated
from workflow.plan.cost import CostModel
from workflow.plan.finished import exists, natural_shares, read_records
from workflow.plan.needs import Graph, Part, kind_of, parts_of
from workflow.plan.project import Project
from workflow.plan.schedule import Chain, longest_chain, wall_seconds
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
        seconds: of every cell to do, inputs first, the margin included.
        inputs: of every cell.
        calibration: what hours come from; None where none was to be had.
        margin: that is in all seconds.
        uncalibrated: why some cells have no hours, each reason with its number of cells.
        checkpoint_bytes: of the largest unfinished run.
        standing: measured share of standing images by dataset.
        remarks: what a reader must know.
    """

    rows: dict[tuple[str, str, str], Count]
    additions: list[Addition]
    seconds: dict[Cell, float]
    inputs: dict[Cell, tuple[Cell, ...]]
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

    def chain(self) -> Chain:
        """The longest chain of cells."""
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
    graph = Graph(project.matrix, lambda cell: exists(project.root, cell))
    whole = graph.whole(cell for part in parts for cell in part.cells)
    standing = natural_shares(read_records(project.root, _measured(graph.exists)))
    model = None
    if calibration is not None:
        model = CostModel(
            project.matrix, calibration, project.images, lambda name: standing.get(name, 1.0)
        )
    pricing = _Pricing(project, model, margin)
    missing = graph.missing(cell for part in parts for cell in part.cells)
    seconds = {cell: pricing.seconds(cell) for cell in missing}
    rows: dict[tuple[str, str, str], Count] = {}
    for cell in whole:
        network = cell.model.network
        row = rows.setdefault((kind_of(cell), network.name, network.dataset), Count())
        row.cells += 1
        row.there += cell in graph.exists
        row.to_do += cell in seconds
        row.seconds += seconds.get(cell, 0.0)
        row.bytes += pricing.bytes(cell) if cell in seconds else 0.0
    return Plan(
        rows=rows,
        additions=_additions(parts, graph, seconds, pricing),
        seconds=seconds,
        inputs=graph.inputs,
        calibration=calibration,
        margin=margin,
        uncalibrated=pricing.uncalibrated,
        checkpoint_bytes=max((pricing.checkpoint(cell) for cell in missing), default=0.0),
        standing=standing,
        remarks=_remarks(project, whole),
    )


def _measured(cells: Iterable[Cell]) -> list[Cell]:
    return [cell for cell in cells if not isinstance(cell, TrainingCell)]


def _additions(
    parts: list[Part], graph: Graph, seconds: dict[Cell, float], pricing: _Pricing
) -> list[Addition]:
    known: set[Cell] = set()
    found = []
    for part in parts:
        added = [cell for cell in graph.missing(part.cells) if cell not in known]
        known.update(added)
        whole = graph.whole(part.cells)
        by_network: dict[str, float] = {}
        for cell in added:
            name = cell.model.network.name
            by_network[name] = by_network.get(name, 0.0) + seconds[cell]
        size = sum(pricing.bytes(cell) for cell in added)
        there = sum(cell in graph.exists for cell in whole)
        found.append(Addition(part, len(whole), there, len(added), by_network, size))
    return found


class _Pricing:
    """Seconds and bytes of cells, and why some have none."""

    def __init__(self, project: Project, model: CostModel | None, margin: float) -> None:
        self.project = project
        self.model = model
        self.margin = margin
        self.uncalibrated: dict[str, int] = {}

    def seconds(self, cell: Cell) -> float:
        if self.model is None:
            return 0.0
        try:
            return self.margin * self.model.cost(cell).total
        except NotCalibrated as error:
            reason = str(error)
            self.uncalibrated[reason] = self.uncalibrated.get(reason, 0) + 1
            return 0.0

    def bytes(self, cell: Cell) -> float:
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
            except NotCalibrated:
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
        except NotCalibrated:
            return 0.0


def _remarks(project: Project, whole: list[Cell]) -> list[str]:
    datasets = dict.fromkeys(cell.model.network.dataset for cell in whole)
    remarks = [project.images(name).remark for name in datasets if name]
    entries = project.matrix.config.datasets
    for name in datasets:
        if entries[name].stand_in_for:
            remarks.append(f"{name} stands in for {entries[name].stand_in_for}")
    return [remark for remark in remarks if remark]

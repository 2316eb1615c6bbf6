"""What a target asks for: its cells, what they need in turn, and what of it is missing.

The same answers that Snakemake's rules get from the matrix, without Snakemake: thousands of
cells in a fraction of a second. A file that exists is taken as current, and what lies under
it is not asked for; whether its parameters have changed since, ``snakemake -n`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath

from rst_core.spec import (
    CandidateSet,
    Cell,
    Evaluation,
    FeatureDistance,
    FineTuned,
    Ticket,
    TrainingCell,
    TransferRow,
    Untrained,
    split_cell_path,
)
from workflow.artifacts import registry
from workflow.artifacts.artifact import Artifact
from workflow.matrix import CELLS, Matrix
from workflow.plan.calibration import PlanError

ARTIFACTS: dict[str, Artifact] = {**registry.TABLES, **registry.FIGURES}
_FOLDERS: dict[str, Mapping[str, Artifact]] = {
    "results/tables": registry.TABLES,
    "results/figures": registry.FIGURES,
}


@dataclass(frozen=True)
class Part:
    """One thing that a user can ask for: an artifact, an experiment's cells, or a cell."""

    name: str
    title: str
    cells: tuple[Cell, ...]


def job_of(cell: Cell, matrix: Matrix) -> Cell:
    """The cell that stands for the job which makes a cell: one run makes all selections.

    Raises:
        PlanError: for a selection that the config does not keep.
    """
    if not isinstance(cell, TrainingCell):
        return cell
    kept = matrix.config.keep_selections
    if cell.selection not in kept:
        raise PlanError(
            f"{cell.path} is of selection {cell.selection}; allowed is one of "
            f"keep_selections, {', '.join(kept)}"
        )
    return TrainingCell(cell.model, matrix.config.selection)


def inputs(cell: Cell, matrix: Matrix) -> list[Cell]:
    """The model files that a cell is made from, as the rules ask for them."""
    match cell:
        case TrainingCell(model=model):
            return list(matrix.bases(model))
        case TransferRow():
            return list(matrix.loaded([*matrix.sources(cell), *matrix.targets(cell)]))
        case Evaluation():
            return list(matrix.loaded(matrix.sources(cell)))
        case FeatureDistance(model=model, selection=selection):
            if isinstance(model, Untrained) or selection is None:
                return []
            return [TrainingCell(model, selection)]


def kind_of(cell: Cell) -> str:
    """What a cell is, in the words of the rules, with the attack that it is about."""
    match cell:
        case TrainingCell(model=Ticket()):
            return "search"
        case TrainingCell(model=FineTuned()):
            return "finetune"
        case TrainingCell():
            return "train"
        case TransferRow(model=CandidateSet()):
            return f"adaptive_transfer {cell.attack}"
        case TransferRow():
            return f"transfer {cell.attack}"
        case Evaluation(model=CandidateSet()):
            return f"adaptive {cell.attack}"
        case Evaluation():
            return f"attack {cell.attack}"
        case FeatureDistance():
            return "features"


@dataclass(eq=False)
class Job:
    """What makes one cell. Jobs are compared by identity: hashing a cell takes its time.

    Attributes:
        cell: which it makes.
        there: whether the file exists.
        inputs: the jobs that make what it is made from.
    """

    cell: Cell
    there: bool
    inputs: tuple[Job, ...]


class Graph:
    """Jobs of a matrix, one for each cell that was asked for or is needed.

    Args:
        matrix: says what a cell is made from.
        exists: whether a cell's file is there.
    """

    def __init__(self, matrix: Matrix, exists: Callable[[Cell], bool]) -> None:
        self._matrix = matrix
        self._exists = exists
        self._jobs: dict[Cell, Job] = {}

    def jobs(self, cells: Iterable[Cell]) -> list[Job]:
        """The jobs that make these cells.

        Raises:
            PlanError: for a selection that the config does not keep.
        """
        return list(dict.fromkeys(self._job(cell) for cell in cells))

    def _job(self, cell: Cell) -> Job:
        found = self._jobs.get(cell)
        if found is None:
            under = self.jobs(inputs(cell, self._matrix))
            made = job_of(cell, self._matrix)
            one_run = made != cell
            found = self._job(made) if one_run else Job(cell, self._exists(cell), tuple(under))
            self._jobs[cell] = found
        return found


def whole(jobs: Iterable[Job]) -> list[Job]:
    """These jobs and everything under them, inputs first, each once."""
    return _walk(jobs, lambda job: False)


def missing(jobs: Iterable[Job]) -> list[Job]:
    """What must run for these: inputs first, each once."""
    return _walk(jobs, lambda job: job.there)


def _walk(jobs: Iterable[Job], stop: Callable[[Job], bool]) -> list[Job]:
    found: dict[Job, None] = {}

    def visit(job: Job) -> None:
        if job in found or stop(job):
            return
        for other in job.inputs:
            visit(other)
        found[job] = None

    for job in jobs:
        visit(job)
    return list(found)


def parts_of(targets: Iterable[str], matrix: Matrix) -> list[Part]:
    """Targets as the rules name them, one part for each thing in them.

    Raises:
        PlanError: for a target that names nothing, with what is meant perhaps.
    """
    found: dict[str, Part] = {}
    for target in targets:
        for part in _parts(target, matrix):
            found.setdefault(part.name, part)
    return list(found.values())


def _parts(target: str, matrix: Matrix) -> list[Part]:
    if target in ("all_tables", "all_figures", "all_cells", "all"):
        chosen: list[Part] = []
        if target in ("all_tables", "all"):
            chosen += [_artifact(name, matrix) for name in registry.TABLES]
        if target in ("all_figures", "all"):
            chosen += [_artifact(name, matrix) for name in registry.FIGURES]
        if target in ("all_cells", "all"):
            chosen += [_experiment(name, matrix) for name in matrix.config.experiments]
        return chosen
    if (name := _artifact_name(target)) is not None:
        return [_artifact(name, matrix)]
    experiment = target.removeprefix("cells_")
    if experiment in matrix.config.experiments:
        return [_experiment(experiment, matrix)]
    if "/" in target:
        return [_cell(target)]
    raise PlanError(_unknown(target, matrix))


def _artifact_name(target: str) -> str | None:
    """The artifact that a name (table3) or a file (results/tables/table3.png) is about."""
    if target in ARTIFACTS:
        return target
    path = PurePosixPath(target)
    known = _FOLDERS.get(str(path.parent), {})
    return path.stem if path.stem in known else None


def _artifact(name: str, matrix: Matrix) -> Part:
    artifact = ARTIFACTS[name]
    return Part(name, artifact.title, tuple(artifact.cells(matrix)))


def _experiment(name: str, matrix: Matrix) -> Part:
    return Part(f"cells_{name}", f"experiment {name}", tuple(matrix.cells(name)))


def _cell(path: str) -> Part:
    try:
        _, cell = split_cell_path(path)
    except ValueError as error:
        raise PlanError(f"{error}; artifacts are results/tables/… and results/figures/…") from None
    return Part(f"{CELLS}/{cell.path}", "one cell", (cell,))


def _unknown(target: str, matrix: Matrix) -> str:
    groups = ["all", "all_tables", "all_figures", "all_cells"]
    experiments = [f"cells_{name}" for name in matrix.config.experiments]
    names = [*groups, *ARTIFACTS, *experiments]
    near = get_close_matches(target, [*names, *matrix.config.experiments], n=3)
    meant = f" (perhaps {' or '.join(near)})" if near else ""
    return (
        f"{target!r} is no target{meant}; allowed are {', '.join(groups)}, an artifact "
        f"({', '.join(ARTIFACTS)}), an experiment's cells (cells_NAME for one of "
        f"{', '.join(matrix.config.experiments)}) or the path of a cell below {CELLS}"
    )

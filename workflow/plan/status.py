"""How far targets are: ``rst status``. Reads cell files, leases and squeue; locks nothing."""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rst_core.spec import Cell
from workflow.matrix import cell_file
from workflow.plan.calibration import Calibration, NotCalibratedError
from workflow.plan.cost import CostModel
from workflow.plan.finished import Record, natural_shares, read_records, there
from workflow.plan.needs import Graph, Job, Part, kind_of, missing, parts_of, whole
from workflow.plan.project import Project
from workflow.plan.signs import Sign, failures, folder_of, signs, slurm_jobs
from workflow.plan.text import duration, table

#: done: the file is there and no hole. running: a job works on it. failed: it failed when it
#: was tried last.
#: stopped: begun, and nobody works on it. blocked: needs one that failed. waiting: the rest.
STATES = ("done", "running", "failed", "stopped", "blocked", "waiting")
#: Cells of a state that are named.
_NAMED = 5

Seconds = Callable[[Cell], float | None]


@dataclass(frozen=True)
class Progress:
    """What ``rst status`` prints.

    Attributes:
        states: of every job under the targets.
        parts: the targets' parts with their jobs.
        signs: of those that are running or stopped.
        reasons: of those that failed.
        recent: records that ended within the window.
        elapsed: seconds that those records stand for.
        left: seconds of devices that the missing cells need; None if nobody can say.
        left_by: what ``left`` is estimated from.
        speed: seconds of devices spent in a second of the window; 0 if nothing ended in it.
        unknown: missing cells that ``left`` does not count.
        slurm: what squeue says.
    """

    states: dict[Job, str]
    parts: list[tuple[Part, list[Job]]]
    signs: dict[Job, Sign]
    reasons: dict[Job, str]
    recent: list[Record]
    elapsed: float
    left: float
    left_by: str
    speed: float
    unknown: int
    slurm: str | None


def look(
    project: Project,
    targets: Sequence[str],
    calibration: Calibration | None,
    window: float,
    now: float | None = None,
) -> Progress:
    """Look at targets once.

    Args:
        project: the matrix and its results.
        targets: as for a plan.
        calibration: prices missing cells; without one, finished cells of their kind do.
        window: seconds over which throughput is measured.
        now: seconds since 1970; for tests.

    Raises:
        PlanError: if a target names nothing.
    """
    now = time.time() if now is None else now
    graph = Graph(project.matrix, there(project.root))
    parts = [(part, whole(graph.jobs(part.cells))) for part in parts_of(targets, project.matrix)]
    jobs = list(dict.fromkeys(job for _, under in parts for job in under))
    to_do = missing(jobs)
    seen, reasons = signs(project.root, now), failures(project.root)
    states = _states(jobs, seen, reasons)
    records = read_records(project.root, (job.cell for job in jobs if job.there))
    recent = [record for record in records if now - window <= record.finished <= now + 60]
    elapsed = _elapsed(recent, window, now)
    seconds, left_by = _price(project, calibration, records)
    prices = [seconds(job.cell) for job in to_do]
    known = [price for price in prices if price is not None]
    spent = sum(seconds(record.cell) or 0.0 for record in recent)
    return Progress(
        states=states,
        parts=parts,
        signs={job: seen[folder_of(job.cell)] for job in jobs if folder_of(job.cell) in seen},
        reasons={job: reasons.get(job.cell.path, "") for job in jobs},
        recent=recent,
        elapsed=elapsed,
        left=sum(known),
        left_by=left_by,
        speed=spent / elapsed if elapsed else 0.0,
        unknown=len(prices) - len(known),
        slurm=slurm_jobs(),
    )


def _states(jobs: list[Job], seen: dict[str, Sign], reasons: dict[str, str]) -> dict[Job, str]:
    """State of every job; jobs come after those that they need."""
    states: dict[Job, str] = {}
    for job in jobs:
        sign = seen.get(folder_of(job.cell))
        if job.there:
            states[job] = "done"
        elif sign is not None and sign.alive:
            states[job] = "running"
        elif job.cell.path in reasons:
            states[job] = "failed"
        elif sign is not None:
            states[job] = "stopped"
        elif any(states[other] in ("failed", "blocked") for other in job.inputs):
            states[job] = "blocked"
        else:
            states[job] = "waiting"
    return states


def _elapsed(recent: list[Record], window: float, now: float) -> float:
    """Seconds in which the recent cells were made: since the first of them began."""
    if not recent:
        return 0.0
    began = min(record.finished - (record.seconds or 0.0) for record in recent)
    return max(1.0, min(window, now - began))


def _price(
    project: Project, calibration: Calibration | None, records: list[Record]
) -> tuple[Seconds, str]:
    """Seconds of a cell by a calibration, or by finished cells like it."""
    if calibration is not None:
        shares = natural_shares(records)
        model = CostModel(
            project.matrix, calibration, project.images, lambda name: shares.get(name, 1.0)
        )

        def predicted(cell: Cell) -> float | None:
            try:
                return model.cost(cell).total
            except NotCalibratedError:
                return None

        return predicted, f"the calibration ({calibration.origin})"
    alike: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
    for record in records:
        if record.seconds is not None:
            for key in _likeness(record.cell):
                alike[key].append(record.seconds)

    def as_before(cell: Cell) -> float | None:
        for key in _likeness(cell):
            if key in alike:
                return statistics.mean(alike[key])
        return None

    return as_before, "the mean of finished cells of the same kind"


def _likeness(cell: Cell) -> list[tuple[str, ...]]:
    """Groups of cells that take about as long, the closest first."""
    network = cell.model.network
    kind = kind_of(cell)
    return [(kind, network.name, network.dataset), (kind, network.name)]


def status_text(progress: Progress, heading: str) -> str:
    """The whole status."""
    rows = []
    for part, jobs in progress.parts:
        count = Counter(progress.states[job] for job in jobs)
        rows.append([part.name, *(f"{count[state]:,}" for state in STATES)])
    if len(rows) > 1:
        count = Counter(progress.states.values())
        rows.append(["all of these", *(f"{count[state]:,}" for state in STATES)])
    blocks = [f"Status of {heading}.", table(["", *STATES], rows, 1, False)]
    blocks.append("\n".join(_pace(progress)))
    for state in ("failed", "stopped", "running"):
        lines = _named(progress, state)
        if lines:
            blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def _pace(progress: Progress) -> list[str]:
    lines = []
    if progress.slurm is not None:
        lines.append(f"SLURM: {progress.slurm}.")
    if progress.recent:
        rate = len(progress.recent) / progress.elapsed * 3600
        lines.append(
            f"Throughput: {rate:,.1f} cells an hour, over the last "
            f"{duration(progress.elapsed)} ({len(progress.recent):,} cells)."
        )
    else:
        lines.append("Throughput: nothing was finished within the window (--window).")
    to_do = sum(state != "done" for state in progress.states.values())
    if not to_do:
        lines.append("Left: nothing, all files are there.")
        return lines
    if progress.unknown == to_do:
        lines.append("Left: nobody can say yet; 'rst calibrate' lets 'rst status' know before.")
        return lines
    work = f"{duration(progress.left)} of one device by {progress.left_by}"
    if progress.speed:
        lines.append(f"Left: {duration(progress.left / progress.speed)} at this pace ({work}).")
    else:
        lines.append(f"Left: {work}.")
    if progress.unknown:
        lines.append(f"Not counted: {progress.unknown:,} cells that nothing finished resembles.")
    return lines


def _named(progress: Progress, state: str) -> list[str]:
    """Some cells of a state, with what is known of them."""
    jobs = [job for job, found in progress.states.items() if found == state]
    if not jobs:
        return []
    lines = [f"{state.capitalize()}:"]
    for job in jobs[:_NAMED]:
        lines.append(f"  {cell_file(job.cell)}{_remark(progress, job, state)}")
    if len(jobs) > _NAMED:
        lines.append(f"  … and {len(jobs) - _NAMED:,} more")
    return lines


def _remark(progress: Progress, job: Job, state: str) -> str:
    if state == "failed":
        return f"\n    {progress.reasons[job]}" if progress.reasons[job] else ""
    sign = progress.signs[job]
    who = f"{sign.holder}, " if sign.holder else ""
    return f"  ({who}last sign {duration(max(0.0, sign.age))} ago)"

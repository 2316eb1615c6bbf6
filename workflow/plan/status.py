"""How far targets are: ``rst status``. Reads results, leases and squeue; locks nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from workflow.keys import State, stale_text
from workflow.plan.cost import CostModel
from workflow.plan.needs import Graph, Job, missing, whole
from workflow.plan.project import Project
from workflow.plan.rates import rates
from workflow.plan.states import begun, failures, folder_of, slurm_jobs
from workflow.plan.targets import parts_of
from workflow.text import duration, table

#: done: the file is there. running: a job holds the cell's lease. failed: it failed when it
#: was tried last. stopped: begun, and no job holds its lease. blocked: needs one that failed.
STATES = ("done", "running", "failed", "stopped", "blocked", "waiting")
#: Cells of a state that are named.
_NAMED = 5


@dataclass(frozen=True)
class Status:
    """What ``rst status`` prints.

    Attributes:
        states: of every job under the targets.
        parts: the targets' parts with their jobs.
        remarks: on those that are running, stopped or failed.
        recent: number of cells that were finished within the window.
        elapsed: seconds in which those were made.
        left: seconds that the missing cells take on one device.
        speed: such seconds that were finished in a second of the window.
        basis: what both rest on.
        slurm: what squeue says.
        results: folder of the matrix's results.
        stale: why results that are there count as to do, by cell.
    """

    states: dict[Job, str]
    parts: list[tuple[str, list[Job]]]
    remarks: dict[Job, str]
    recent: int
    elapsed: float
    left: float
    speed: float
    basis: str
    slurm: str | None
    results: str
    stale: dict[str, str]


def look(
    project: Project,
    targets: Sequence[str],
    window: float,
    tflops: float | None = None,
    now: float | None = None,
) -> Status:
    """Look at targets once.

    Args:
        project: the matrix and its results.
        targets: as for a plan.
        window: seconds over which throughput is measured.
        tflops: as in :func:`workflow.plan.rates.rates`.
        now: seconds since 1970; for tests.

    Raises:
        PlanError: if a target names nothing, or a dataset's size is not known.
    """
    now = time.time() if now is None else now
    matrix, graph = project.matrix, Graph(project.matrix, project.finished)
    parts = [(part.name, whole(graph.jobs(part.cells))) for part in parts_of(targets, matrix)]
    jobs = list(dict.fromkeys(job for _, under in parts for job in under))
    cost = CostModel(project)
    found = rates(project, cost, (job.cell for job in jobs if job.there), tflops)

    def seconds(job: Job) -> float:
        return cost(job.cell).operations / found.of(job.cell).per_second

    to_do = missing(jobs)
    recent = [(job.finished, seconds(job)) for job in jobs if (job.finished or 0) >= now - window]
    began = min((end - took for end, took in recent if end), default=now)
    elapsed = max(1.0, min(window, now - began)) if recent else 0.0
    origins = Counter(found.of(job.cell).basis for job in to_do)
    verdicts = {matrix.file(job.cell): project.keys.verdict(job.cell) for job in to_do}
    states, remarks = _states(jobs, project, now)
    return Status(
        states=states,
        parts=parts,
        remarks=remarks,
        recent=len(recent),
        elapsed=elapsed,
        left=sum(map(seconds, to_do)),
        speed=sum(took for _, took in recent) / elapsed if elapsed else 0.0,
        basis=", ".join(f"{basis} for {n:,} cells" for basis, n in origins.most_common()),
        slurm=slurm_jobs(),
        results=matrix.results,
        stale={path: v.reason for path, v in verdicts.items() if v.state is State.STALE},
    )


def _states(jobs: list[Job], project: Project, now: float) -> tuple[dict[Job, str], dict[Job, str]]:
    """State of every job, and remarks on some; jobs come after those that they need."""
    seen = begun(project.root, project.matrix.results, now)
    reasons = failures(project.root, project.matrix.results)
    states: dict[Job, str] = {}
    remarks: dict[Job, str] = {}
    for job in jobs:
        known = seen.get(folder_of(job.cell))
        if job.there:
            states[job] = "done"
        elif known and known.running:
            states[job], remarks[job] = "running", known.text
        elif job.cell.path in reasons:
            reason = reasons[job.cell.path]
            states[job], remarks[job] = "failed", f"\n    {reason}" if reason else ""
        elif known:
            states[job], remarks[job] = "stopped", known.text
        elif any(states[other] in ("failed", "blocked") for other in job.inputs):
            states[job] = "blocked"
        else:
            states[job] = "waiting"
    return states, remarks


def status_text(status: Status, heading: str) -> str:
    """The whole status."""
    rows = [(name, Counter(map(status.states.__getitem__, jobs))) for name, jobs in status.parts]
    if len(rows) > 1:
        rows.append(("all of these", Counter(status.states.values())))
    lines = [[name, *(f"{count[state]:,}" for state in STATES)] for name, count in rows]
    blocks = [
        f"Status of {heading}.",
        table(["", *STATES], lines, range(1, 1 + len(STATES))),
        "\n".join(_pace(status)),
    ]
    blocks.append(stale_text(status.stale))
    blocks += [_named(status, state) for state in ("failed", "stopped", "running")]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _pace(status: Status) -> list[str]:
    lines = [f"SLURM: {status.slurm}."] if status.slurm is not None else []
    if status.recent:
        rate = status.recent / status.elapsed * 3600
        over = f"{duration(status.elapsed)} ({status.recent:,} cells)"
        lines.append(f"Throughput: {rate:,.1f} cells an hour, over the last {over}.")
    else:
        lines.append("Throughput: nothing was finished within the window (--window).")
    if set(status.states.values()) <= {"done"}:
        return [*lines, "Left: nothing, all files are there."]
    work = f"{duration(status.left)} of one device; its rate is {status.basis}"
    if status.speed:
        work = f"{duration(status.left / status.speed)} at this pace ({work})"
    return [*lines, f"Left: {work}."]


def _named(status: Status, state: str) -> str:
    """Some cells of a state, with what is known of them; empty if there are none."""
    jobs = [job for job, found in status.states.items() if found == state]
    if not jobs:
        return ""
    cells = f"{status.results}/cells"
    lines = [f"  {cells}/{job.cell.path}{status.remarks[job]}" for job in jobs[:_NAMED]]
    lines += [f"  … and {len(jobs) - _NAMED:,} more"] if len(jobs) > _NAMED else []
    return "\n".join([f"{state.capitalize()}:", *lines])

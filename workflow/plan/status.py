"""How far targets are: ``rst status``. Reads results, leases and squeue; locks nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rst_core.job.paths import checkpoint_path
from workflow.failures import KEY, records
from workflow.plan.needs import Job, with_inputs
from workflow.plan.planner import Plan, make_plan
from workflow.plan.project import Project
from workflow.plan.states import slurm_jobs, unfinished
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
        plan: of what is left.
        states: of every job under the targets.
        remarks: on those that are running, stopped or failed.
        recent: number of cells that were finished within the window.
        elapsed: seconds in which those were made.
        speed: seconds of the plan that were finished in a second of them.
        slurm: what squeue says; None where there is no SLURM.
    """

    plan: Plan
    states: dict[Job, str]
    remarks: dict[Job, str]
    recent: int
    elapsed: float
    speed: float
    slurm: str | None

    @property
    def left(self) -> float:
        """Seconds that the missing cells take on one device."""
        return self.plan.total.seconds

    @property
    def basis(self) -> str:
        """What that rests on."""
        origins = Counter(self.plan.rates.of(job.cell).basis for job in self.plan.to_do)
        return ", ".join(f"{basis} for {count:,} cells" for basis, count in origins.most_common())


def read_status(
    project: Project,
    targets: Sequence[str],
    window: float,
    tflops: float | None = None,
    now: float | None = None,
) -> Status:
    """The status of targets.

    Args:
        project: the matrix and its results.
        targets: as for a plan, with ``tflops``.
        window: seconds over which throughput is measured, until ``now``.

    Raises:
        PlanError, ConfigError: as :func:`make_plan` does.
    """
    now = time.time() if now is None else now
    plan = make_plan(project, targets, tflops)
    ends = {job: job.written_at for job in plan.jobs if job.written_at is not None}
    recent = {job: plan.rates.seconds(job.cell) for job in ends if ends[job] >= now - window}
    began = min((ends[job] - took for job, took in recent.items()), default=now)
    elapsed = max(1.0, min(window, now - began))
    states, remarks = _states(plan.jobs, project, now)
    speed = sum(recent.values()) / elapsed
    return Status(plan, states, remarks, len(recent), elapsed, speed, slurm_jobs())


def _states(jobs: list[Job], project: Project, now: float) -> tuple[dict[Job, str], dict[Job, str]]:
    """State of every job, and remarks on some; jobs come after those that they need."""
    results, file = project.matrix.results, project.matrix.file
    cells = project.root / results / "cells"
    known = unfinished(cells, now)
    failed = {str(path): record[KEY] for path, record in records(project.root, results).items()}
    states: dict[Job, str] = {}
    remarks: dict[Job, str] = {}
    for job in jobs:
        begun = known.get(checkpoint_path(cells, job.cell).parent)
        if job.exists:
            states[job] = "done"
        elif begun and begun.running:
            states[job], remarks[job] = "running", begun.text
        elif (reason := failed.get(file(job.cell))) is not None:
            states[job], remarks[job] = "failed", f"\n    {reason}"
        elif begun:
            states[job], remarks[job] = "stopped", begun.text
        elif any(states[other] in ("failed", "blocked") for other in job.inputs):
            states[job] = "blocked"
        else:
            states[job] = "waiting"
    return states, remarks


def status_text(status: Status, heading: str) -> str:
    """The whole status."""
    plan, of = status.plan, status.states.__getitem__
    rows = [(name, Counter(map(of, with_inputs(jobs)))) for name, jobs in plan.parts.items()]
    if len(rows) > 1:
        rows.append(("all of these", Counter(status.states.values())))
    lines = [[name, *(f"{count[state]:,}" for state in STATES)] for name, count in rows]
    blocks = [
        f"Status of {heading}.",
        table(["", *STATES], lines, range(1, 1 + len(STATES))),
        f"SLURM: {status.slurm}." if status.slurm else "",
        _pace(status),
        plan.project.stale(job.cell for job in plan.to_do),
        *(_named(status, state) for state in ("failed", "stopped", "running")),
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _pace(status: Status) -> str:
    pace = "nothing was finished within the window (--window)"
    if status.recent:
        rate = status.recent / status.elapsed * 3600
        over = f"{duration(status.elapsed)} ({status.recent:,} cells)"
        pace = f"{rate:,.1f} cells an hour, over the last {over}"
    if set(status.states.values()) <= {"done"}:
        return f"Throughput: {pace}.\nLeft: nothing; all files exist."
    work = f"{duration(status.left)} of one device; its rate is {status.basis}"
    if status.speed:
        work = f"{duration(status.left / status.speed)} at this pace ({work})"
    return f"Throughput: {pace}.\nLeft: {work}."


def _named(status: Status, state: str) -> str:
    """Some cells of a state, with what is known of them; empty if there are none."""
    jobs = [job for job, found in status.states.items() if found == state]
    if not jobs:
        return ""
    file = status.plan.project.matrix.file
    lines = [f"  {file(job.cell)}{status.remarks[job]}" for job in jobs[:_NAMED]]
    lines += [f"  … and {len(jobs) - _NAMED:,} more"] if len(jobs) > _NAMED else []
    return "\n".join([f"{state.capitalize()}:", *lines])

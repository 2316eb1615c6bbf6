"""What the executor remembers of a job between its submissions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Record:
    """What is known of one Snakemake job (or group) beyond one submission.

    Attributes:
        name: of the job in SLURM.
        number: of its newest SLURM job.
        submitted: when that was submitted, and ``seen`` when somebody last knew of it (monotonic).
        ended: when its script's exit status was first seen while SLURM called it running.
        state: of that by squeue, and ``since`` when (monotonic).
        ran: whether that was ever running.
        saved: how far its cells were at that time (``Executor.progress``).
        minutes: its time limit.
        spent: minutes that all its SLURM jobs had before this one.
        timeouts: attempts that reached their limit without progress; the next asks for more.
        out_of_memory: attempts that ended for want of memory; the next asks for more.
    """

    name: str
    number: str = ""
    submitted: float = 0.0
    seen: float = 0.0
    ended: float | None = None
    state: str = ""
    since: float = 0.0
    ran: bool = False
    saved: float = 0.0
    minutes: int = 0
    spent: float = 0.0
    timeouts: int = 0
    out_of_memory: int = 0

    def see(self, state: str, now: float) -> None:
        """Note a state by squeue."""
        self.seen, self.ran = now, self.ran or state == "RUNNING"
        if state != self.state:
            self.state, self.since = state, now

"""What is known of unfinished cells from leases, checkpoints and SLURM's queue. Looks only."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rst_core.job.lease import current_entry
from rst_core.job.paths import checkpoints
from workflow.cluster.commands import ask, fields
from workflow.text import duration

#: Seconds after which a lease that nobody touched says nothing: holders touch theirs every
#: twenty seconds, file servers may show it a minute late, and clocks differ.
HEARTBEAT_AGE = 300.0
#: Seconds that squeue may take.
SQUEUE_TIMEOUT = 5.0


class Unfinished(NamedTuple):
    """An unfinished cell that a job has worked on.

    Attributes:
        running: whether a job touched its lease lately.
        holder: the job and process that did so last; empty if nothing says so.
        age: seconds since anything of it was written.
    """

    running: bool
    holder: str
    age: float

    @property
    def text(self) -> str:
        """For people, behind the cell."""
        holder = f"{self.holder}, " if self.holder else ""
        return f"  ({holder}last heartbeat {duration(self.age)} ago)"


def unfinished(cells: Path, now: float | None = None) -> dict[Path, Unfinished]:
    """All unfinished cells below a folder of cells, by the folder of their checkpoint."""
    now = time.time() if now is None else now
    found: dict[Path, Unfinished] = {}
    for name, _, files in os.walk(checkpoints(cells)):
        folder = Path(name)
        touched = [_touched(folder / file) for file in files if file[0] != "."]
        if not touched:
            continue
        age = max(0.0, now - max(touched))
        if folder.name == "lease":
            found[folder.parent] = Unfinished(age < HEARTBEAT_AGE, _holder(folder), age)
        else:
            found.setdefault(folder, Unfinished(False, "", age))
    return found


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # gone since it was listed


def _holder(lease: Path) -> str:
    with suppress(OSError):  # an entry that cannot be read
        entry = current_entry(lease)
        if entry is not None and entry.holder is not None:
            return entry.holder.process
    return ""


def slurm_jobs() -> str | None:
    """What squeue says of one's own jobs, one line; None where there is no SLURM."""
    answer = ask("squeue", "--me", "--noheader", "--format=%T|%r", timeout=SQUEUE_TIMEOUT)
    if answer.status == 127:
        return None
    if answer.status:
        return f"squeue failed: {answer.problem}"
    jobs = fields(answer.lines, 2)
    if not jobs:
        return "no job of yours"
    states = Counter(state for state, _ in jobs)
    reasons = Counter(reason for state, reason in jobs if state == "PENDING").most_common(3)
    text = ", ".join(f"{count:,} {state.lower()}" for state, count in states.most_common())
    waits = ", ".join(f"{reason} {count:,}" for reason, count in reasons)
    return f"{text} (pending because: {waits})" if waits else text

"""What is known of unfinished cells: heartbeats, SLURM's queue. Looks only."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rst_core.identity import Cell, TrainingCell
from workflow.cluster.commands import ask, fields
from workflow.text import duration

#: Seconds after which a lease that nobody touched says nothing: holders touch theirs every
#: twenty seconds, file servers may show it a minute late, and clocks differ.
HEARTBEAT_AGE = 300.0
#: Seconds that squeue may take.
SQUEUE_TIMEOUT = 5.0


@dataclass(frozen=True)
class Begun:
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


def begun(root: Path, results: str, now: float | None = None) -> dict[str, Begun]:
    """All cells with a lease or a checkpoint, by the folder of it (:func:`folder_of`)."""
    now = time.time() if now is None else now
    top = root / results / "checkpoints"
    found: dict[str, Begun] = {}
    for folder, _, files in os.walk(top):
        paths = [Path(folder) / name for name in files if not name.startswith(".")]
        if not paths:
            continue
        newest = max(paths, key=_touched)
        age, key = max(0.0, now - _touched(newest)), Path(folder).relative_to(top)
        if key.name == "lease":
            found[key.parent.as_posix()] = Begun(age < HEARTBEAT_AGE, _holder(newest), age)
        else:
            found.setdefault(key.as_posix(), Begun(False, "", age))
    return found


def folder_of(cell: Cell) -> str:
    """The folder, below ``checkpoints``, in which a cell's unfinished work is kept."""
    if isinstance(cell, TrainingCell):
        return cell.model.path
    return cell.path.removesuffix(".json")


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # gone since it was listed


def _holder(entry: Path) -> str:
    try:
        holder = json.loads(entry.read_text(encoding="utf-8"))
        job = f"job {holder['job']}, " if holder.get("job") else ""
        return f"{job}process {holder['pid']} on {holder['host']}"
    except (OSError, ValueError, KeyError, AttributeError):
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

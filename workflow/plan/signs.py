"""Signs of life of unfinished cells: leases, checkpoints, failures, SLURM. Looks only.

Jobs hold a lease while they work on a cell: numbered claims in ``lease/`` beside the
checkpoint, the highest of which its holder touches again and again. Where there are none, a
checkpoint that was just written is taken for one. Nothing here creates, locks or removes a file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rst_core.spec import Cell, TrainingCell
from workflow.failures import FAILED
from workflow.holes import KEY, holes, is_hole
from workflow.matrix import CELLS

#: Seconds after which an untouched claim is no sign of life: holders touch theirs every
#: twenty seconds, file servers may show it a minute late, and clocks differ.
CLAIM_AGE = 300.0
#: The same for a checkpoint where there is no lease: epochs and long attacks take minutes.
CHECKPOINT_AGE = 900.0
#: Seconds that squeue may take.
SQUEUE_TIMEOUT = 5.0


@dataclass(frozen=True)
class Sign:
    """What is known of an unfinished cell.

    Attributes:
        alive: whether a job works on it, as far as files tell.
        holder: who holds or held it, for people; empty if nothing says so.
        age: seconds since it last gave a sign.
    """

    alive: bool
    holder: str
    age: float


def signs(root: Path, now: float | None = None) -> dict[str, Sign]:
    """Signs of all unfinished cells, by the folder of their checkpoint (:func:`folder_of`)."""
    now = time.time() if now is None else now
    top = root / "results/checkpoints"
    found: dict[str, Sign] = {}
    for folder, _, files in os.walk(top):
        path = Path(folder)
        if path.name == "lease":
            sign = _claim(path, files, now)
            if sign is not None:
                found[path.parent.relative_to(top).as_posix()] = sign
            continue
        kept = [name for name in files if not name.startswith(".")]
        key = path.relative_to(top).as_posix()
        if kept and key not in found:
            age = now - max((_touched(path / name) for name in kept), default=0.0)
            found[key] = Sign(age < CHECKPOINT_AGE, "", age)
    return found


def folder_of(cell: Cell) -> str:
    """The folder, below ``results/checkpoints``, in which a cell's unfinished work is kept."""
    if isinstance(cell, TrainingCell):
        return cell.model.path
    return cell.path.removesuffix(".json")


def _touched(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # gone since it was listed


def _claim(folder: Path, files: list[str], now: float) -> Sign | None:
    """The claim that holds: the highest number."""
    numbers = [int(name) for name in files if name.isdigit()]
    if not numbers:
        return None
    path = folder / str(max(numbers))
    age = now - _touched(path)
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        where = [f"job {holder['job']}"] if holder.get("job") else []
        text = ", ".join([*where, f"process {holder['pid']} on {holder['host']}"])
    except (OSError, ValueError, KeyError, AttributeError):
        text = ""
    return Sign(age < CLAIM_AGE, text, age)


def failures(root: Path) -> dict[str, str]:
    """Cells that failed when they were tried last, by path, with the reason on record.

    Holes of shared jobs, and what the summary at the end of the last run wrote down.
    """
    below = root / FAILED / CELLS
    found = {
        path.relative_to(below).as_posix().removesuffix(".json"): _reason(path)
        for path in below.rglob("*.json")
    }
    for cell in holes(root):
        found[cell.relative_to(CELLS).as_posix()] = _reason(root / cell)
    return found


def _reason(path: Path) -> str:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(record[KEY]) if is_hole(record) else ""


def slurm_jobs() -> str | None:
    """What squeue says of one's own jobs, one line; None where there is no SLURM."""
    if shutil.which("squeue") is None:
        return None
    command = ["squeue", "--me", "--noheader", "--format=%T|%r"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SQUEUE_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return f"squeue did not answer within {SQUEUE_TIMEOUT:g} s"
    except OSError as error:
        return f"squeue cannot be run: {error}"
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        return f"squeue failed: {lines[-1].removeprefix('squeue: ')}"
    states = Counter(line.partition("|")[0] for line in done.stdout.splitlines() if line)
    reasons = Counter(
        line.partition("|")[2] for line in done.stdout.splitlines() if line.startswith("PENDING|")
    )
    if not states:
        return "no job of yours"
    text = ", ".join(f"{count:,} {state.lower()}" for state, count in states.most_common())
    if reasons:
        waits = ", ".join(f"{reason} {count:,}" for reason, count in reasons.most_common(3))
        text += f" (pending because: {waits})"
    return text

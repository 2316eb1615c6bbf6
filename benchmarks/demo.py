"""The demo's wall time against its cells' own compute, from what its last run left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.ratios import Ratio
from rst_core.files import load_tensors
from rst_core.progress import say

WHAT = "the demo's wall time"


@dataclass(frozen=True)
class Invocation:
    """One run of Snakemake.

    Attributes:
        start: when, in UTC.
        seconds: how long.
        cores: how many it was given.
    """

    start: datetime
    seconds: float
    cores: int

    def made(self, work: Work) -> bool:
        """Whether a cell was computed during this run."""
        return self.start <= work.started <= self.start + timedelta(seconds=self.seconds)


@dataclass(frozen=True)
class Work:
    """A cell's own compute: from the start of its work to the end, without start-up."""

    started: datetime
    seconds: float


def invocation(log: str, profile: str = "demo") -> Invocation | None:
    """The run that wrote a log of Snakemake; None for another profile, or if it did not end."""
    found = {
        name: re.search(pattern, log, re.MULTILINE)
        for name, pattern in {
            "profile": rf"^  Command: .*--profile {profile}\b",
            "date": r"^  Date: (.+)$",
            "cores": r"^Provided cores: (\d+)",
            "elapsed": r"^Elapsed time: (?:(\d+) days?, )?(\d+):(\d+):([\d.]+)$",
        }.items()
    }
    date, cores, elapsed = found["date"], found["cores"], found["elapsed"]
    if not (found["profile"] and date and cores and elapsed):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in elapsed.groups())
    # Snakemake writes local time without its offset.
    start = datetime.strptime(date[1], "%Y-%m-%d %H:%M:%S").astimezone(UTC)
    return Invocation(start, 60 * (60 * (24 * days + hours) + minutes) + seconds, int(cores[1]))


def work(provenance: dict[str, str | float]) -> Work:
    """Of the record that every result carries."""
    started = datetime.fromisoformat(str(provenance["started"]))
    return Work(started, float(provenance["wall_seconds"]))


def ratio(invocations: Iterable[Invocation], works: Iterable[Work]) -> Ratio | None:
    """Wall time of the runs that made cells against those cells' compute over the cores."""
    works = set(works)  # the epochs of one training are files of one work
    made = [(run, [w for w in works if run.made(w)]) for run in invocations]
    made = [(run, own) for run, own in made if own]
    if not made:
        return None
    wall = sum(run.seconds for run, _ in made)
    compute = sum(w.seconds / run.cores for run, own in made for w in own)
    count = sum(len(own) for _, own in made)
    remark = (
        f"{wall / 60:.1f} min, {count} cells, {made[0][0].cores} cores, tables, figures and "
        f"pages included; run of {made[0][0].start:%Y-%m-%d}, not by this command"
    )
    return Ratio(WHAT, "its cells' own compute over the cores", (wall / compute,), "at most", 1.3,
                 remark)  # fmt: skip


def demo(root: Path) -> list[Ratio]:
    """Of the last demo below ``root``; none, and a sentence, where there is no demo."""
    found = ratio(invocations(root / ".snakemake" / "log"), works(root / "results" / "cells"))
    if found is None:
        say("no demo here: 'make demo' leaves what its wall time is measured by in results/")
        return []
    return [found]


def invocations(logs: Path) -> Sequence[Invocation]:
    """All finished runs of the demo whose logs are here."""
    texts = (path.read_text(errors="replace") for path in sorted(logs.glob("*.snakemake.log")))
    return [run for run in map(invocation, texts) if run]


def works(cells: Path) -> list[Work]:
    """The work of all cells, measured ones and models."""
    found = [json.loads(path.read_text())["provenance"] for path in cells.rglob("*.json")]
    found += [load_tensors(path)["provenance"] for path in cells.rglob("*.pt")]
    return [work(provenance) for provenance in found]

"""The log of a run: one line per finished job, with its accuracies and the time left."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import snakemake
from snakemake.logging import DefaultFormatter
from snakemake_interface_logger_plugins.common import LogEvent

from rst_core.curves import chosen, curve_path, read_curve
from rst_core.identity import split_cell_path
from rst_core.vocabulary import Selection
from workflow.names import short_name
from workflow.text import accuracies, duration

#: Characters of a line of ours.
WIDTH = 120
#: Seconds between two lines that say what is running.
EVERY = 30.0
#: Jobs that must be finished before the time left is told.
_ENOUGH = 3

#: What Snakemake writes behind a file that has a flag: " (update)".
_MARK = re.compile(r" \([a-z, ]+\)$")
_ENGINE = str(Path(snakemake.__file__).parent)


@dataclass(frozen=True)
class _Job:
    rule: str
    name: str
    file: str
    began: float


class ProgressHandler(logging.Handler):
    """Shows Snakemake's log records to a person; the log file has them all.

    Warnings, errors and what the workflow itself says are shown whole, failed jobs with their logs.
    """

    def __init__(
        self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._stream, self._clock = stream or sys.stderr, clock
        self._whole = DefaultFormatter(show_failed_logs=True)
        self._begun = clock()
        self._total, self._finished = 0, 0
        self._unfinished: Counter[str] = Counter()
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._running: dict[int, _Job] = {}
        self._listed = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record, or take note of it."""
        try:
            for line in self._lines(record):
                print(line, file=self._stream, flush=True)
        except Exception:
            self.handleError(record)

    def _lines(self, record: logging.LogRecord) -> list[str]:
        found = record.__dict__
        match getattr(record, "event", None):
            case LogEvent.RUN_INFO:
                return self._begin(found["stats"])
            case LogEvent.JOB_INFO:
                return self._start(found)
            case LogEvent.JOB_FINISHED:
                return self._finish(found["job_id"])
            case LogEvent.JOB_ERROR:
                self._running.pop(found["jobid"], None)
                return [self._whole.format(record)]
            case _ if record.levelno >= logging.WARNING:
                return [self._whole.format(record)]
            case None if not record.pathname.startswith(_ENGINE):
                return [record.getMessage()]
            case _:
                return []

    def _begin(self, stats: Mapping[str, int]) -> list[str]:
        self._unfinished = Counter({rule: n for rule, n in stats.items() if rule != "total"})
        self._total, self._begun = self._unfinished.total(), self._clock()
        kinds = ", ".join(f"{n:,} {rule}" for rule, n in self._unfinished.most_common())
        return [shortened(f"{self._total:,} jobs: {kinds}", WIDTH)]

    def _start(self, job: Mapping[str, object]) -> list[str]:
        rule, files, number = str(job["rule_name"]), job["output"], job["jobid"]
        assert isinstance(files, list)
        assert isinstance(number, int)
        file = _MARK.sub("", str(files[0])) if files else ""
        self._running[number] = _Job(rule, name_of(rule, file), file, self._clock())
        if self._clock() < self._listed + EVERY:
            return []
        self._listed = self._clock()
        return [shortened(f"running: {'; '.join(j.name for j in self._running.values())}", WIDTH)]

    def _finish(self, number: int) -> list[str]:
        job = self._running.pop(number, None)
        if job is None:
            return []
        self._finished += 1
        self._unfinished[job.rule] -= 1
        seconds = self._clock() - job.began
        self._seconds[job.rule].append(seconds)
        width = len(f"{self._total:,}")
        count = f"{self._finished:>{width},}/{self._total:,}"
        left = self._left()
        numbers = numbers_of(Path(job.file))
        end = f"{f': {numbers}' if numbers else ''} ({duration(seconds)})"
        start = f"{count}, {left:>12}  "
        return [start + shortened(job.name, WIDTH - len(start) - len(end)) + end]

    def _left(self) -> str:
        """Time left, if jobs to come take as long as finished ones of their rule.

        Nothing while most of them are of rules of which none is finished: the first to finish are
        searches, which take longer than what follows.
        """
        known_rules = sum(n for rule, n in self._unfinished.items() if rule in self._seconds)
        if self._finished < _ENOUGH or 2 * known_rules < self._unfinished.total():
            return ""
        now = self._clock()
        known = [seconds for rule in self._seconds.values() for seconds in rule]
        mean = {rule: sum(seconds) / len(seconds) for rule, seconds in self._seconds.items()}
        usual = sum(known) / len(known)
        spent = sum(now - job.began for job in self._running.values())
        work = sum(n * mean.get(rule, usual) for rule, n in self._unfinished.items())
        pace = (sum(known) + spent) / max(now - self._begun, 1e-9)
        left = max(0.0, work - spent) / max(pace, 1e-9)
        return f"{duration(left)} left"

    def close(self) -> None:
        """Say how much was done, and in what time."""
        if self._total:
            took = duration(self._clock() - self._begun)
            print(f"{self._finished:,} of {self._total:,} jobs in {took}.", file=self._stream)
            self._total = 0
        super().close()


def name_of(rule: str, file: str) -> str:
    """What a job makes: a cell in a few words, or a file."""
    with suppress(ValueError):
        return f"{rule} {short_name(split_cell_path(file)[1])}"
    return f"{rule} {file}" if file else rule


def numbers_of(file: Path) -> str:
    """The accuracies in a finished cell's file, in percent; empty where there are none."""
    try:
        if file.suffix == ".pt":
            kept = chosen(read_curve(curve_path(file)), Selection(file.parent.name))
            natural, robust = kept.validation_natural, kept.validation_robust
            shown = f"validation natural {natural:.1f}"
            return shown if robust is None else f"{shown}, robust {robust:.1f}"
        if file.suffix == ".json":
            return accuracies(json.loads(file.read_text(encoding="utf-8"))["results"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass  # what has no accuracies, such as a manifest, has no numbers here
    return ""


def shortened(text: str, width: int) -> str:
    """One line of at most ``width`` characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"

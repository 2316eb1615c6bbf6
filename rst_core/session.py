"""A session: one job's stay with a cell, and when it must leave the cell unfinished.

Schedulers end jobs: at their time limit, for another job's sake, with the node. A session
knows its budget and hears SIGTERM; work asks it between two steps whether to go on, saves
what is done when it may not, and leaves with :data:`UNFINISHED`, so that the next session
continues where this one stopped.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rst_core.loaded import Loaded

#: Exit status of a job that left its cell unfinished and may be started again (EX_TEMPFAIL).
UNFINISHED = 75
#: Seconds of the budget left for what happens before this process starts and after it ends:
#: Snakemake, interpreter, a busy file system. At most a quarter of a short budget.
MARGIN = 60.0
#: Seconds between two checkpoints within an epoch: what a killed job can lose.
INTERVAL = 600.0
#: Seconds between two looks at the lease.
_LOOK = 1.0


class LeftUnfinished(Exception):  # noqa: N818 - leaving is no error
    """The cell is not finished; the same command continues it from what was saved."""


class Verdict(IntEnum):
    """What to do next; of several processes' verdicts the largest counts for all."""

    GO_ON = 0
    SAVE = 1
    OUT_OF_TIME = 2
    TOLD_TO_STOP = 3
    SUPERSEDED = 4

    @property
    def leave(self) -> bool:
        """Whether the session ends here."""
        return self >= Verdict.OUT_OF_TIME


@dataclass
class Session:
    """One job's stay with a cell.

    Attributes:
        minutes: the job's time, from the construction of this object; None is no limit.
        superseded: whether another job has taken over the cell.
        waited: whether another job worked on the cell when this one came.
        keep: folder that keeps finished results (:mod:`rst_core.finished`); None keeps none.
        interval: seconds between two checkpoints within an epoch.
        clock: monotonic seconds.
        continued: from where this and earlier sessions continued, for the records.
        loaded: what this process has loaded, also for cells before this one.
    """

    minutes: float | None = None
    superseded: Callable[[], bool] = lambda: False
    waited: bool = False
    keep: Path | None = None
    interval: float = INTERVAL
    clock: Callable[[], float] = time.monotonic
    continued: list[str] = field(default_factory=list)
    loaded: Loaded = field(default_factory=Loaded)
    _told: bool = field(default=False, init=False)
    _listening: bool = field(default=False, init=False)
    _done: int = field(default=0, init=False)
    _longest: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._start = self._saved = self._looked = self.clock()

    @property
    def deadline(self) -> float | None:
        """When, on the clock, everything must be written; None if there is no limit."""
        if self.minutes is None:
            return None
        seconds = 60 * self.minutes
        return self._start + seconds - min(MARGIN, seconds / 4)

    @property
    def minutes_left(self) -> float | None:
        """What of the budget is left for a process that is started now."""
        if self.minutes is None:
            return None
        return max(0.0, self.minutes - (self.clock() - self._start) / 60)

    @contextmanager
    def timed(self, kind: str) -> Iterator[None]:
        """Measure a piece of work of a kind that will be done again."""
        began = self.clock()
        yield
        took = self.clock() - began
        self._longest[kind] = max(took, self._longest.get(kind, 0.0))
        self._done += kind != "save"

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Measure a checkpoint, and count the interval from its end."""
        with self.timed("save"):
            yield
        self._saved = self.clock()

    def verdict(self, kind: str) -> Verdict:
        """This process's opinion before it does a piece of work of a kind.

        The piece and the checkpoint after it are expected to take as long as the longest so
        far; a kind never done before is expected to fit.
        """
        now = self.clock()
        if now - self._looked >= _LOOK:
            self._looked = now
            if self.superseded():
                return Verdict.SUPERSEDED
        if self._told:
            return Verdict.TOLD_TO_STOP
        ahead = self._longest.get(kind, 0.0) + self._longest.get("save", 0.0)
        if self.deadline is not None and now + ahead >= self.deadline:
            return Verdict.OUT_OF_TIME
        return Verdict.SAVE if now - self._saved >= self.interval else Verdict.GO_ON

    def check(self) -> None:
        """To be called before a result is written.

        Raises:
            LeftUnfinished: if another job has taken over the cell.
        """
        if self.superseded():
            self.leave(Verdict.SUPERSEDED, "")

    def leave(self, verdict: Verdict, place: str) -> NoReturn:
        """End the session.

        Args:
            verdict: why.
            place: how far the work is, all of it saved.

        Raises:
            LeftUnfinished: always.
        """
        if verdict is Verdict.SUPERSEDED:
            raise LeftUnfinished(
                "another job has taken over this cell while this one stood still; "
                "nothing more was written"
            )
        why = "told to stop (SIGTERM)"
        if verdict is Verdict.OUT_OF_TIME:
            why = f"the budget of {self.minutes:g} minutes is used up"
            if not self._done:
                raise LeftUnfinished(
                    f"{why} before the first step: raise --minutes (in the workflow: the "
                    "rule's runtime)"
                )
        raise LeftUnfinished(f"left {place}: {why}; saved, the same command continues")

    @contextmanager
    def until_told(self) -> Iterator[None]:
        """Let SIGTERM end the block at once, but within :meth:`listening` at the next step."""
        owner = os.getpid()

        def hear(signum: int, frame: FrameType | None) -> None:
            # Processes forked off, such as those that decode images, end with this one.
            if os.getpid() != owner:
                return
            self._told = True
            if not self._listening:
                raise LeftUnfinished("told to stop (SIGTERM); the same command continues")

        before = signal.signal(signal.SIGTERM, hear)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """The block asks for a verdict often enough to be told between two steps."""
        self._listening = True
        try:
            yield
        finally:
            self._listening = False

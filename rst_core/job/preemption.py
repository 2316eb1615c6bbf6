"""When a job must leave its cell: SIGTERM, or another job that has taken over the cell.

Schedulers send SIGTERM before they end a job: at its time limit, or to run another one. Training
and attacks check for it between two steps, save and stop; the next job continues from there.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

#: Exit status of a job that left its cell unfinished and may be started again (EX_TEMPFAIL).
PREEMPTED = 75
#: Seconds between two looks at the lease.
_LOOK = 1.0


class Preempted(BaseException):
    """The cell is not finished; the same command continues it from what was saved.

    Raised by a signal handler, so in the middle of anything. Like KeyboardInterrupt it is no
    Exception: logging and readers of damaged files catch those, and the signal would be lost.
    """


TERMINATED = "preempted (SIGTERM)"
SUPERSEDED = (
    "another job has taken over this cell while this one was suspended; this job wrote no result"
)


@dataclass
class Preemption:
    """What this job knows of its end; ``lease_lost``: whether another job has the cell."""

    lease_lost: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = time.monotonic
    terminated: bool = field(default=False, init=False)
    _deferred: bool = field(default=False, init=False)
    _superseded: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._looked = self.clock()

    @property
    def superseded(self) -> bool:
        """Whether another job holds the cell; looks at most once a second."""
        now = self.clock()
        if now - self._looked >= _LOOK:
            self._looked, self._superseded = now, self._superseded or self.lease_lost()
        return self._superseded

    def check(self) -> None:
        """Raise ``Preempted`` if another job has the cell; before a result is written."""
        if self.lease_lost():
            raise Preempted(SUPERSEDED)

    @contextmanager
    def on_sigterm(self) -> Iterator[None]:
        """SIGTERM ends the block at once, but within :meth:`deferred` after the next step."""
        owner = os.getpid()

        def handle(signum: int, frame: FrameType | None) -> None:
            # Processes forked off, such as those that decode images, end with this one.
            if os.getpid() != owner:
                return
            self.terminated = True
            if not self._deferred:
                raise Preempted(f"{TERMINATED}; rerun the same command to continue")

        before = signal.signal(signal.SIGTERM, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before or signal.SIG_DFL)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """The block asks between two steps whether to leave."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

"""Progress of long work: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import os
import sys
import time
from typing import Any


def speaks() -> bool:
    """Whether this process writes the log: of those that torchrun starts, the first."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """A line for the log, at once."""
    if speaks():
        print(text, file=sys.stderr, flush=True)


class Progress:
    """Counts towards a total: a tqdm bar on a terminal, else a line every ``interval`` seconds.

    Use as a context manager; :meth:`update` takes the amount done so far.
    """

    def __init__(self, what: str, total: int, unit: str, interval: float = 60.0) -> None:
        self.what, self.total, self.unit, self.interval = what, total, unit, interval
        self._spoken = time.monotonic()
        self._bar: Any = None
        if speaks() and sys.stderr.isatty():
            try:
                from tqdm import tqdm
            except ModuleNotFoundError:
                return
            self._bar = tqdm(total=total, desc=what, unit=f" {unit}", leave=False)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, done: int, total: int | None = None) -> None:
        """``done`` units are done."""
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
        elif time.monotonic() - self._spoken >= self.interval:
            self._spoken = time.monotonic()
            say(f"{self.what}: {done} of {self.total} {self.unit}")

"""Checkpoints in memory, for tests: a run is ended at a call of one's choice, and continued."""

from __future__ import annotations

import copy
from collections.abc import Callable

from rst_core.checkpoints import State


class Interrupted(BaseException):
    pass


class InMemory:
    """Saves and ends the work at call number ``at``; without one it only counts and saves."""

    def __init__(self, at: int | None = None, saved: State | None = None) -> None:
        self.at, self.saved, self.calls, self.progress = at, saved, 0, ""

    def restore(self) -> State | None:
        return copy.deepcopy(self.saved)

    def maybe_save(self, progress: str, state: Callable[[], State], *, due: bool = False) -> None:
        self.calls += 1
        self.progress = progress
        if self.calls == self.at or (self.at is None and due):
            self.saved = copy.deepcopy(state())
        if self.calls == self.at:
            raise Interrupted

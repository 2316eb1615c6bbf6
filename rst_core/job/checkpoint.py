"""The checkpoint of a cell: unfinished work in one file, saved by time and on SIGTERM."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from rst_core.checkpoints import State
from rst_core.device.distributed import max_over_processes, share
from rst_core.job.log import log
from rst_core.job.preemption import SUPERSEDED, TERMINATED, Preempted, Preemption
from rst_core.storage import CHECKPOINT, FileError, load_tensors, remove_parts, save_tensors

#: Seconds between two checkpoints: what a killed job can lose.
INTERVAL = 600.0
#: Seconds between two lines of progress in the log.
_LINE = 60.0


class _Action(IntEnum):
    """What to do next; of several processes' actions the largest counts for all."""

    CONTINUE = 0
    SAVE = 1
    TERMINATED = 2
    SUPERSEDED = 3


@dataclass
class Checkpoint:
    """Implements :class:`~rst_core.checkpoints.Checkpoints` for a cell's job.

    Attributes:
        name: of the cell, for the log.
        key: everything that the work depends on; the state of other work is not restored.
        interval: seconds between two saves that nothing else asks for.
        follow: called in the first process with every state that was saved or restored.
        precisions: in which this and earlier jobs computed, for the records.
        continued: from where they continued, for the records.
    """

    name: str
    path: Path
    key: str
    preemption: Preemption
    interval: float = INTERVAL
    follow: Callable[[State], None] = lambda state: None
    precisions: set[str] = field(default_factory=set)
    clock: Callable[[], float] = time.monotonic
    continued: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._saved = self._logged = self.clock()

    def restore(self) -> State | None:
        """See :class:`~rst_core.checkpoints.Checkpoints`."""
        try:
            header, stored = load_tensors(self.path, CHECKPOINT)
        except FileNotFoundError:
            return None
        except FileError as error:
            log.info("%s: starting from scratch: %s", self.name, error)
            return None
        if header.get("key") != self.key:
            log.info("%s: starting from scratch: the checkpoint has other settings", self.name)
            return None
        self.continued = [*header["continued"], header["progress"]]
        self.precisions.update(header.get("precisions", ()))
        log.info("%s: continuing %s", self.name, header["progress"])
        state: State = stored
        if share().writes:
            self.follow(state)
        return state

    def maybe_save(self, progress: str, state: Callable[[], State], *, due: bool = False) -> None:
        """See :class:`~rst_core.checkpoints.Checkpoints`.

        Raises ``Preempted`` if the job must leave; what is done is saved, unless the lease is lost.
        """
        action = _Action(max_over_processes(self._next_action(due)))
        if self.clock() - self._logged >= _LINE:
            self._logged = self.clock()
            log.info("%s: %s", self.name, progress)
        if action is _Action.SUPERSEDED:
            raise Preempted(SUPERSEDED)
        if action is not _Action.CONTINUE:
            self._save(progress, state())
        if action is _Action.TERMINATED:
            raise Preempted(
                f"stopped {progress}: {TERMINATED}; saved, rerun the same command to continue"
            )

    def _next_action(self, due: bool) -> _Action:
        if self.preemption.superseded:
            return _Action.SUPERSEDED
        if self.preemption.terminated:
            return _Action.TERMINATED
        late = self.clock() - self._saved >= self.interval
        return _Action.SAVE if due or late else _Action.CONTINUE

    def _save(self, progress: str, state: State) -> None:
        """Write the file; returns in every process once the first one has."""
        if share().writes:
            header = {
                "key": self.key,
                "progress": progress,
                "continued": self.continued,
                "precisions": sorted(self.precisions),
            }
            save_tensors(self.path, state, CHECKPOINT, header)
            self.follow(state)
        max_over_processes(0)
        self._saved = self.clock()

    def remove(self) -> None:
        """Remove the file, and what killed jobs left of it, once the result is written."""
        self.path.unlink(missing_ok=True)
        remove_parts(self.path)

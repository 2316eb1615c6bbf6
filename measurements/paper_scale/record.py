"""What every piece of the run did and how long it took: ``record.json``, a list."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rst_core.files import write_json
from rst_core.progress import say
from rst_core.session import LeftUnfinished


@dataclass(frozen=True)
class Record:
    """The record of all calls so far; written anew after every piece."""

    path: Path

    def lines(self) -> list[dict[str, Any]]:
        """All entries."""
        if not self.path.is_file():
            return []
        found: list[dict[str, Any]] = json.loads(self.path.read_text(encoding="utf-8"))
        return found

    def note(self, stage: int, what: str, ended: str, seconds: float = 0.0) -> None:
        """Add an entry."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = {"stage": stage, "what": what, "ended": ended, "seconds": round(seconds, 2)}
        write_json(self.path, [*self.lines(), {**entry, "at": now}])
        say(f"stage {stage}: {what}: {ended} ({seconds:.1f} s)")

    @contextmanager
    def piece(self, stage: int, what: str) -> Iterator[None]:
        """Note how a piece of work ends: done, left unfinished, or failed with its reason."""
        began = time.monotonic()

        def ended(how: str) -> None:
            self.note(stage, what, how, time.monotonic() - began)

        try:
            yield
        except LeftUnfinished as left:
            ended(f"unfinished: {left}")
            raise
        except Exception as error:
            reason = (str(error).splitlines() or [""])[0]
            ended(f"failed: {type(error).__name__}: {reason}")
            raise
        ended("done")

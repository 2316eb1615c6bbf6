"""The log of a job: lines on stderr, from the first of several processes."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

#: Everything in this package logs here; a program that imports it decides what it shows.
log = logging.getLogger("rst_core")


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to whatever ``sys.stderr`` is at the time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Where lines go."""
        return sys.stderr


def show_log() -> None:
    """Show the package's log on stderr; of processes that torchrun starts, the first one's."""
    if not any(isinstance(handler, _Stderr) for handler in log.handlers):
        log.addHandler(_Stderr())
    log.setLevel(logging.INFO if os.environ.get("RANK", "0") == "0" else logging.ERROR)

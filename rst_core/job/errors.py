"""Errors on their way out of a command: one sentence, and a traceback where it is of use."""

from __future__ import annotations

import linecache
import sys
import traceback
from pathlib import Path

from rst_core.job.flags import UsageError

#: Exit status of a cell with a number that is not finite (EX_SOFTWARE).
DIVERGED = 70

_PACKAGE = Path(__file__).parents[1]


def failed(command: str, error: Exception) -> int:
    """Print an error to stderr, which in a workflow is the log; returns the exit status.

    Not through :mod:`rst_core.job.log`, which is the first process's alone.
    """
    sentence = f"rst {command}: {error}"
    if not _own(error):
        text = (str(error).strip().splitlines() or ["no reason given"])[0]
        sentence = (
            f"rst {command}: unexpected {type(error).__name__}: {text}; the traceback is above"
        )
        traceback.print_exception(error)
    print(sentence, file=sys.stderr, flush=True)
    if isinstance(error, UsageError):
        return 2
    # By its name: the class is in a module that loads torch.
    return DIVERGED if type(error).__name__ == "DivergedError" else 1


def _own(error: Exception) -> bool:
    """Whether its text is a sentence: of a ``raise`` of this package, or of the system."""
    if isinstance(error, OSError):
        return True
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(last.filename, last.lineno or 0).strip()
    ours = Path(last.filename).is_relative_to(_PACKAGE) and line.startswith("raise")
    return ours and isinstance(error, ValueError | RuntimeError | ImportError)

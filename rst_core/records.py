"""Cell files: one small JSON a cell, with every image's outcome and where it came from."""

from __future__ import annotations

import base64
import os
import platform
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import rst_core

FORMAT = 1


def pack_outcomes(outcomes: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any]:
    """N booleans as counts with base64-packed bits."""
    return {
        "correct": int(outcomes.sum()),
        "total": len(outcomes),
        "outcomes": base64.b64encode(np.packbits(outcomes).tobytes()).decode(),
    }


def unpack_outcomes(packed: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The booleans that :func:`pack_outcomes` packed.

    Raises:
        ValueError: if counts and bits disagree.
    """
    bits = np.frombuffer(base64.b64decode(packed["outcomes"]), dtype=np.uint8)
    outcomes = np.unpackbits(bits, count=packed["total"]).astype(bool)
    if int(outcomes.sum()) != packed["correct"]:
        raise ValueError(
            f"outcomes hold {int(outcomes.sum())} correct images, the count says "
            f"{packed['correct']}; the file is damaged"
        )
    return outcomes


def pack_counts(counts: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Any]:
    """N counts as their sum with base64-packed little-endian 32-bit integers."""
    return {
        "sum": int(counts.sum()),
        "total": len(counts),
        "counts": base64.b64encode(counts.astype("<i4").tobytes()).decode(),
    }


def unpack_counts(packed: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The counts that :func:`pack_counts` packed.

    Raises:
        ValueError: if sum or length and counts disagree.
    """
    counts = np.frombuffer(base64.b64decode(packed["counts"]), dtype="<i4").astype(np.int64)
    if (int(counts.sum()), len(counts)) != (packed["sum"], packed["total"]):
        raise ValueError(
            f"counts are {len(counts)} with sum {int(counts.sum())}, the file says "
            f"{packed['total']} with sum {packed['sum']}; the file is damaged"
        )
    return counts


def source_revision() -> str:
    """Git commit of the running source, with ``+changes`` if it was edited; else the version."""
    folder = Path(__file__).parent
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--dirty=+changes"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return f"rst_core {rst_core.__version__}"
    return found.stdout.strip()


def device_name() -> str:
    """Name of the device that computes, with the number of CPU threads if it is the CPU."""
    import torch

    from rst_core.distributed import default_device

    if default_device().type == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


@dataclass
class Provenance:
    """Measures one piece of work from construction to :meth:`finish`."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    revision: str = field(default_factory=source_revision)

    def finish(self, key: str, continued: Sequence[str] = ()) -> dict[str, Any]:
        """Versions, place, device, processes, times (UTC), and how many sessions it took.

        Args:
            key: digest of everything that the result depends on.
            continued: from where sessions after the first continued; times are those of
                the last one.
        """
        import torch

        from rst_core.distributed import share

        finished = datetime.now(UTC)
        return {
            "rst_core": rst_core.__version__,
            "revision": self.revision,
            "torch": str(torch.__version__),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "python": platform.python_version(),
            "key": key,
            "host": socket.gethostname(),
            # What a scheduler calls the job: set by whoever knows the scheduler.
            "job": os.environ.get("RST_JOB") or None,
            "device": device_name(),
            "processes": share().processes,
            "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "started": self.started.isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "wall_seconds": round((finished - self.started).total_seconds(), 3),
            "sessions": 1 + len(continued),
            "continued": list(continued),
        }

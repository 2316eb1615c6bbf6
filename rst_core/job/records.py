"""Where, when and with what a result was computed, for its file."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rst_core
from rst_core.vocabulary import Precision

if TYPE_CHECKING:
    from torch import nn

M = TypeVar("M", bound="nn.Module")


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

    from rst_core.device.distributed import default_device

    if default_device().type == "cuda":
        return torch.cuda.get_device_name()
    return f"CPU ({platform.machine()}, {torch.get_num_threads()} threads)"


def cpu_model() -> str:
    """Name of the CPU's model, as Linux has it; elsewhere what the platform says."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@dataclass
class Provenance:
    """Measures one piece of work from construction to :meth:`finish`."""

    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    revision: str = field(default_factory=source_revision)
    precisions: set[str] = field(default_factory=set)

    def watch(self, model: M, *, trained: bool = False) -> M:
        """Note in which precision a model computes, as torch is set at each of its forward passes.

        Of a model that is trained these are the passes in training mode. Whatever is not trained is
        measured: then a pass in another precision than float32 raises ``ValueError``.
        """
        from rst_core.device.arithmetic import in_force

        def note(model: nn.Module, arguments: object) -> None:
            if trained and not model.training:
                return
            found = in_force(next(model.parameters()))
            if not trained and found != Precision.FLOAT32:
                raise ValueError(
                    f"torch is set to compute in {found}; allowed for what is measured is "
                    f"{Precision.FLOAT32}: find what set it"
                )
            self.precisions.add(found)

        model.register_forward_pre_hook(note)
        return model

    def finish(self, continued: Sequence[str] = ()) -> dict[str, Any]:
        """Versions, place, device, processes, times (UTC, of the last session), sessions.

        ``continued``: from where each session after the first continued. ``precision`` is None for
        what only copies, such as an import.
        """
        import torch

        from rst_core.device.distributed import share

        finished = datetime.now(UTC)
        return {
            "rst_core": rst_core.__version__,
            "revision": self.revision,
            "torch": str(torch.__version__),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "python": platform.python_version(),
            "host": socket.gethostname(),
            # What a scheduler calls the job: set by whoever knows the scheduler.
            "job": os.environ.get("RST_JOB") or None,
            "device": device_name(),
            # Another CPU, or other instructions of the same one, rounds otherwise.
            "cpu": cpu_model(),
            "cpu_capability": torch.backends.cpu.get_cpu_capability(),
            "precision": ", ".join(sorted(self.precisions)) or None,
            "processes": share().processes,
            "cuda_visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
            "started": self.started.isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "wall_seconds": round((finished - self.started).total_seconds(), 3),
            "sessions": 1 + len(continued),
            "continued": list(continued),
        }

"""Run a command on GPUs that no other job of this machine uses, where there is no scheduler.

    python gpu_slots.py COUNT DEVICES COMMAND...

locks COUNT of DEVICES (comma-separated, as in CUDA_VISIBLE_DEVICES), waiting until so many are
free, and becomes the command, which sees only those. The locks are the kernel's, on files in
the machine's folder for temporary files, so that they end with the command however it ends,
and also hold between two workflows. Snakemake counts GPUs (--resources gpu=N), but cannot say
which (snakemake issue 281).
"""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

#: Seconds between two looks for free devices.
POLL = 0.5


def folder() -> Path:
    """Where the locks of this user's jobs on this machine are; of a SLURM job, its own.

    Two jobs of SLURM that have different GPUs may call them by the same numbers.
    """
    scope = os.environ.get("SLURM_JOB_ID", "")
    return Path(tempfile.gettempdir()) / f"rst-gpus-{os.getuid()}{'-' if scope else ''}{scope}"


def lock(device: str) -> int | None:
    """A descriptor that holds a device until it is closed; None if another job holds it."""
    descriptor = os.open(folder() / f"{device}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    os.set_inheritable(descriptor, True)
    return descriptor


def take(count: int, devices: Sequence[str]) -> list[str]:
    """Lock so many devices, all or none at a time, and wait until that succeeds.

    Raises:
        ValueError: if there are not so many.
    """
    if count > len(devices):
        raise ValueError(
            f"a job asks for {count} GPUs, but this machine has {len(devices)} "
            f"({', '.join(devices)}); set the job's gpu resource or --resources gpu=N"
        )
    folder().mkdir(mode=0o700, exist_ok=True)
    while True:
        held: dict[str, int] = {}
        for device in devices:
            if len(held) < count and (descriptor := lock(device)) is not None:
                held[device] = descriptor
        if len(held) == count:
            return list(held)
        for descriptor in held.values():
            os.close(descriptor)
        time.sleep(POLL)


def main(argv: list[str]) -> int:
    """Become the command, with devices of its own."""
    count, devices, *command = argv
    try:
        mine = take(int(count), devices.split(","))
    except ValueError as error:
        print(f"gpu_slots: {error}", file=sys.stderr)
        return 1
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(mine)
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

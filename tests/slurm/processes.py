"""Processes of this machine as /proc and the kernel know them."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path


def listens(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def command_line(pid: int) -> str:
    """The words of a process, empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (OSError, UnicodeDecodeError):
        return ""


def processes_of(folder: Path) -> list[int]:
    """Processes that name a folder in their words or their environment, but for this one."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if f"{folder}/".encode() in known and int(process.name) != os.getpid():
                found.append(int(process.name))
    return found


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; False if it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def tail(file: Path, lines: int = 40) -> str:
    """The last lines of a file, empty if there is none."""
    text = file.read_text(errors="replace") if file.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def of_jobs(folder: Path) -> list[int]:
    """Processes of a cluster's jobs, whose environment names it and a job; and of their steps."""
    found = []
    mine = f"SLURM_CONF={folder}/slurm.conf"
    for process in Path("/proc").glob("[0-9]*"):
        try:
            variables = (process / "environ").read_bytes().decode(errors="replace").split("\0")
            step = (process / "comm").read_text().startswith("slurmstepd")
        except (OSError, ProcessLookupError):
            continue
        of_job = step or any(v.startswith("SLURM_JOB_ID=") for v in variables)
        if mine in variables and of_job:
            found.append(int(process.name))
    return found

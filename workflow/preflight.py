"""Questions to SLURM before the first job: one sentence instead of a pile of failed jobs."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from workflow.machine import Machine

_TIMEOUT = 30


def problems(machine: Machine, file: str) -> Iterator[str]:
    """A sentence for everything that would make every job fail.

    What SLURM does not answer, because it is away or keeps no accounts, is no problem: jobs
    wait for it.

    Args:
        machine: where jobs shall go.
        file: the machine file, to say where to change it.
    """
    if not shutil.which("sbatch"):
        yield (
            "sbatch is not on the PATH, so no job can be submitted; run Snakemake on a login node "
            "of the cluster, or without one use --profile workstation"
        )
        return
    partitions = _answer("sinfo", "--noheader", "--format=%R")
    if machine.partition and partitions and machine.partition not in partitions:
        yield (
            f"partition is {machine.partition!r} in {file}, but this cluster has no such "
            f"partition; allowed is one of {', '.join(sorted(partitions))}"
        )
    elif machine.partition and not _has_gpus(machine.partition):
        yield (
            f"partition is {machine.partition!r} in {file}, but its nodes have no GPUs that SLURM "
            "knows of (sinfo --format='%R %G'); choose one that has"
        )
    yield from _account_problems(machine, file)


def put_first(folder: Path) -> None:
    """Let programs of a folder stand before all others of this process's commands."""
    os.environ["PATH"] = os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])


def _account_problems(machine: Machine, file: str) -> Iterator[str]:
    user = getpass.getuser()
    show = ("sacctmgr", "--noheader", "--parsable2", "show", "associations", f"user={user}")
    accounts = _answer(*show, "format=account")
    if not machine.account or not accounts:
        return
    if machine.account.lower() not in {account.lower() for account in accounts}:
        yield (
            f"account is {machine.account!r} in {file}, which user {user} may not use; "
            f"allowed is one of {', '.join(sorted(accounts))}"
        )


def _has_gpus(partition: str) -> bool:
    found = _answer("sinfo", "--noheader", f"--partition={partition}", "--format=%G")
    return not found or any("gpu" in resources for resources in found)


def _answer(*command: str) -> set[str]:
    """The lines that a command prints; none if it fails or does not answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT)
    except (OSError, subprocess.SubprocessError):
        return set()
    return {line.strip() for line in done.stdout.splitlines() if line.strip()}

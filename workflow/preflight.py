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
#: Bytes that are free where a workflow may begin: some logs and a checkpoint.
LEAST_FREE = 100_000_000


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
    yield from _partition_problems(machine, file)
    yield from _account_problems(machine, file)


def put_first(folder: Path) -> None:
    """Let programs of a folder stand before all others of this process's commands."""
    os.environ["PATH"] = os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])


def disk_problem(folder: Path) -> str:
    """A sentence if there is no room for results below a folder; empty if there is.

    A quota that the file system doesn't show is not seen; jobs meet it and say so themselves.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if free >= LEAST_FREE:
        return ""
    return (
        f"the disk of {folder} is full: {free / 1e6:.0f} MB are left, and "
        f"{LEAST_FREE / 1e6:.0f} MB are the least to begin with; make room and run the same "
        "command again ('rst plan' says what is needed in all)"
    )


def _partition_problems(machine: Machine, file: str) -> Iterator[str]:
    """What is wrong with the partition; its nodes' GPUs are those that SLURM knows of."""
    lines = [line.partition("|") for line in _answer("sinfo", "--noheader", "--format=%R|%G")]
    with_gpus = {name for name, _, resources in lines if "gpu" in resources}
    if not machine.partition or not lines or machine.partition in with_gpus:
        return
    found = f"partition is {machine.partition!r} in {file}, but "
    allowed = (
        f"allowed is one of {', '.join(sorted(with_gpus))}"
        if with_gpus
        else "no partition has any (sinfo --format='%R %G'), so ask your site how it names GPUs"
    )
    if machine.partition in {name for name, _, _ in lines}:
        yield f"{found}its nodes have no GPUs that SLURM knows of; {allowed}"
    else:
        yield f"{found}this cluster has no such partition; {allowed}"


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


def _answer(*command: str) -> set[str]:
    """The lines that a command prints; none if it fails or does not answer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT)
    except (OSError, subprocess.SubprocessError):
        return set()
    return {line.strip() for line in done.stdout.splitlines() if line.strip()}

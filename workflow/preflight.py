"""Checks of the SLURM configuration before the first job.

If SLURM does not answer, the check is skipped: jobs wait for it (cluster/executor.py). The rest is
checked by ``sbatch --test-only``.
"""

from __future__ import annotations

import getpass
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workflow.cluster.commands import ask, fields
from workflow.machine import Machine

#: Bytes that are free where a workflow may begin: some logs and a checkpoint.
LEAST_FREE = 100_000_000
_GPUS = re.compile(r"gpu(?::([^:,(]+))?:(\d+)")


@dataclass
class Partition:
    """What sinfo says of a partition.

    Attributes:
        minutes: its time limit; None is unlimited, or not known.
        gpus: whether any node has some.
        types: the names that SLURM has for them; empty where it has none.
        default: whether jobs go there that name none.
    """

    minutes: int | None = None
    gpus: bool = False
    types: frozenset[str] = frozenset()
    default: bool = False


def problems(machine: Machine, file: str) -> Iterator[str]:
    """A sentence for everything that would make every job fail or wait for ever.

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
    found = [*_partition_problems(machine, file), *_account_problems(machine, file)]
    yield from found
    if not found:
        yield from _refusal(machine, file)


def notes() -> Iterator[str]:
    """Sentences on what the cluster lacks that jobs can do without."""
    answer = ask("sacct", "-X", "--noheader", "--format=JobID", f"--user={getpass.getuser()}")
    if answer.status and not answer.unreachable:
        yield (
            f"accounting does not work here (sacct: {answer.message or 'no answer'}); how "
            "jobs end is read from squeue and from the exit status that each job writes"
        )


def disk_problem(folder: Path) -> str:
    """A sentence if there is no room for results below a folder; empty if there is.

    A quota that the file system doesn't show is not seen; jobs meet it and say so themselves.
    """
    existing = next(one for one in (folder, *folder.absolute().parents) if one.is_dir())
    free = shutil.disk_usage(existing).free
    if free >= LEAST_FREE:
        return ""
    return (
        f"the disk of {folder} is full: {free / 1e6:.0f} MB are left, but a run needs "
        f"{LEAST_FREE / 1e6:.0f} MB to start; free space and rerun the same command "
        "('rst plan' estimates the total)"
    )


def minutes_of(limit: str) -> int | None:
    """A time limit of sinfo, such as ``2-00:00:00``, in minutes; None if there is none."""
    match = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)
    if not match:
        return None
    days, hours, minutes, _ = (int(part or 0) for part in match.groups())
    return (24 * days + hours) * 60 + minutes


def _partitions() -> dict[str, Partition]:
    """All partitions that sinfo knows, each over all its kinds of nodes."""
    found: dict[str, Partition] = {}
    answer = ask("sinfo", "--noheader", "--format=%P|%G|%l")
    for name, resources, limit in fields(answer.lines if not answer.status else [], 3):
        one = found.setdefault(name.rstrip("*"), Partition())
        one.default = name.endswith("*")
        one.minutes = minutes_of(limit)
        one.gpus = one.gpus or "gpu" in resources
        one.types |= {match[1] for match in _GPUS.finditer(resources) if match[1]}
    return found


def _partition_problems(machine: Machine, file: str) -> Iterator[str]:
    """What is wrong with the partitions; their nodes' GPUs are those that SLURM knows of."""
    known = _partitions()
    with_gpus = sorted(name for name, one in known.items() if one.gpus)
    allowed = (
        f"allowed is one of {', '.join(with_gpus)}"
        if with_gpus
        else "no partition has any (sinfo --format='%P|%G|%l'), so ask your site how it names GPUs"
    )
    if not known:
        return
    names = machine.partitions or [name for name, one in known.items() if one.default]
    partition = machine.partition or ",".join(names)
    for name in machine.partitions:  # a site may send jobs that name none where GPUs are
        start = f"partition is {machine.partition!r} in {file}, but "
        if name not in known:
            yield f"{start}this cluster has no partition {name!r}; {allowed}"
        elif not known[name].gpus:
            yield f"{start}the nodes of {name!r} have no GPUs that SLURM knows of; {allowed}"
    used = [known[name] for name in names if name in known and known[name].gpus]
    limits = [one.minutes for one in used if one.minutes is not None]
    if limits and machine.job_minutes > min(limits):
        yield (
            f"job_minutes is {machine.job_minutes} minutes in {file}, but partition {partition} "
            f"gives {min(limits)}; jobs would wait for ever, so set it to {min(limits)} or less"
        )
    types = set().union(*(one.types for one in used))
    if used and machine.gpu_type and machine.gpu_type not in types:
        choice = f"allowed is one of {', '.join(sorted(types))}" if types else 'allowed is ""'
        yield (
            f"gpu_type is {machine.gpu_type!r} in {file}, but partition {partition} has no "
            f"such GPUs; {choice}"
        )


def _account_problems(machine: Machine, file: str) -> Iterator[str]:
    """What is wrong with account and QOS, where there is accounting."""
    user = getpass.getuser()
    answer = ask("sacctmgr", "--noheader", "--parsable2", "show", "associations", f"user={user}",
                 "format=account,qos")  # fmt: skip
    rows = fields(answer.lines if not answer.status else [], 2)
    for name, value, index in (("account", machine.account, 0), ("qos", machine.qos, 1)):
        of_account = [
            row
            for row in rows
            if index == 0 or not machine.account or row[0].lower() == machine.account.lower()
        ]
        allowed = {one for row in of_account for one in row[index].split(",") if one}
        if value and allowed and value.lower() not in {one.lower() for one in allowed}:
            yield (
                f"{name} is {value!r} in {file}, which user {user} may not use; "
                f"allowed is one of {', '.join(sorted(allowed))}"
            )


def _refusal(machine: Machine, file: str) -> Iterator[str]:
    """What sbatch says of a job like those to come, which it only tries (``--test-only``)."""
    site = {"slurm_account": "--account", "slurm_partition": "--partition", "qos": "--qos",
            "constraint": "--constraint"}  # fmt: skip
    where = [f"{site[name]}={value}" for name, value in machine.site.items()]
    where += [f"--time={machine.job_minutes}", *machine.request(1, machine.job_minutes)]
    call = ["sbatch", "--test-only", "--parsable", "--job-name=rst-test", "--output", "/dev/null",
            *where, "/dev/stdin"]  # fmt: skip
    answer = ask(*call, script="#!/bin/sh\nexit 0\n")
    if answer.status and not answer.unreachable and not answer.job_limit:
        yield (
            f"sbatch refuses a job as {file} describes it: {answer.message}; it was asked with: "
            f"{' '.join(call[1:-1])}"
        )

# What a job asks for, with which others it shares one of the scheduler's, and how it ends.
import functools
import hashlib
import os
from pathlib import Path

from rst_core import identity
from workflow import failures, gpu_slots
from workflow.machine import may_share, resources as resources_of


def resource_of(name):
    """One of a job's resources, from the cell that its wildcards name."""
    return lambda wildcards: request_of(cell_of(wildcards))[name]


def slots(wildcards):
    """How many of a shared job's GPUs a cell uses."""
    return min(resource_of("gpu")(wildcards), slots_of_a_job())


# The resources of all rules that make cells; a profile for schedulers says more of them.
REQUEST = {"gpu": 1}
if MACHINE is not None:
    REQUEST = MACHINE.site | {
        name: resource_of(name)
        for name in ("gpu", "cpus_per_task", "mem_mb", "runtime")
    }
    REQUEST |= {"slot": slots, "tries": lambda wildcards, attempt: attempt}


@functools.cache
def request_of(cell):
    """The resources of a cell on the profile's machine."""
    return resources_of(cell, MACHINE)


def slots_of_a_job():
    """How many GPUs of cells that share a job are used at once (slurm/config.yaml)."""
    slots = workflow.global_resources.get("slot")
    return 1 if slots is None or slots.value is None else slots.value


def job_of(model):
    """The group of the jobs that make a model and evaluate it.

    Where cells of a job run side by side, models of one network, of which none needs another,
    share a group; how many of them share a job is group-components of "models".
    """
    path = Path(model.path)
    name = ".".join(path.parts)
    if slots_of_a_job() > 1:
        name = ".".join([*path.parts[:-1], path.name.partition("-")[0]])
    workflow.parent_groupids[name] = "models"
    return name


def batch(wildcards):
    """The group of a job: which cells may share one job of a scheduler.

    A job starts when all inputs of its cells are there, so that cells share one only where
    none waits for a model that it doesn't need: short evaluations of models that exist with
    any others, those of a model that is still to be made run in the very job that makes it,
    and those that need the same models (rows of one transfer matrix) go together.
    """
    cell = cell_of(wildcards)
    if MACHINE is None or not may_share(cell, MACHINE):
        return None
    if isinstance(cell, identity.TrainingCell):
        return job_of(cell.model)
    models = MATRIX.loaded(MATRIX.input_models(cell))
    if all(KEYS.state(model) is State.FRESH for model in models):
        return "evaluations"
    if not isinstance(cell, identity.TransferRow):
        return job_of(cell.model)
    needed = " ".join(sorted(map(MATRIX.file, models)))
    name = f"evaluations-{hashlib.sha256(needed.encode()).hexdigest()[:12]}"
    # The number of cells in these, too, is group-components of "evaluations".
    workflow.parent_groupids[name] = "evaluations"
    return name


def job_flags(wildcards, resources, threads):
    """How a job runs. As it looks at its resources, Snakemake does not rerun for changes of it."""
    flags = ["--threads", str(threads), "--processes", str(resources.gpu)]
    return shlex.join(flags)


def on_own_gpus(wildcards, resources):
    """What a command starts with where Snakemake shares out the GPUs of a machine or of a job.

    Looks at its resources for the same reason as job_flags.
    """
    gpus = workflow.global_resources.get("gpu")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if workflow.remote_exec and slots_of_a_job() > 1 and visible:
        devices = visible
    elif workflow.local_exec and gpus is not None and gpus.value is not None:
        devices = visible or ",".join(map(str, range(gpus.value)))
    else:
        return ""
    return shlex.join([PYTHON, gpu_slots.__file__, str(resources.gpu), devices])


def if_failed(wildcards, resources):
    """The command that an evaluation that failed ends with, before its output and its log.

    In a job of its own that is its status. So it is in a shared job, which may have met a
    bad node, the first time; after another its record is put in place of the file. Looks at
    its resources for the same reason as job_flags.
    """
    shared = MACHINE is not None and may_share(cell_of(wildcards), MACHINE)
    if not shared or resources.tries == 1:
        return "exit $? #"
    return f"{shlex.join([PYTHON, failures.__file__])} $?"

# What a job asks for, with which others it shares one of the scheduler's, and how it ends.
import hashlib
import os
import sys
from pathlib import Path

from rst_core import spec
from workflow import gpu_slots, holes
from workflow.machine import may_share, resources as resources_of


def needs(cell_of):
    """The resources of a rule, from the cell that its wildcards name."""
    if MACHINE is None:
        return {"gpu": 1}

    def resource(name):
        return lambda wildcards, attempt: resources_of(
            cell_of(wildcards), MACHINE, attempt, sharing, PREDICTED
        )[name]

    sharing = workflow.group_settings.group_components.get("evaluations", 1)
    asked_for = ("gpu", "cpus_per_task", "mem_mb", "runtime")
    # "turn" makes cells that share a job take turns (slurm/config.yaml).
    shared = {"turn": 1, "tries": lambda wildcards, attempt: attempt}
    return MACHINE.site | {name: resource(name) for name in asked_for} | shared


def in_one_word(model):
    """A model's path as the name of a group of jobs."""
    return ".".join(Path(model.path).parts)


def batch(cell_of, inputs_of=None):
    """The group of a rule's job: which cells may share one job of a scheduler.

    A job starts when all inputs of its cells are there, so that cells share one only where
    none waits for a model that it doesn't need: short evaluations of models that exist with
    any others, those of a model that is still to be made run in the very job that makes it,
    and those that need the same models (rows of one transfer matrix) go together.

    Args:
        cell_of: wildcards -> the cell.
        inputs_of: wildcards -> model files, where a cell needs more than its own model.
    """

    def group(wildcards):
        cell = cell_of(wildcards)
        if MACHINE is None or not may_share(cell, MACHINE, PREDICTED):
            return None
        if isinstance(cell, spec.TrainingCell):
            return in_one_word(cell.model)
        needed = sorted(inputs_of(wildcards)) if inputs_of else model_files(cell)
        if all(Path(file).exists() for file in needed):
            return "evaluations"
        name = in_one_word(cell.model)
        if inputs_of:
            digest = hashlib.sha256(" ".join(needed).encode()).hexdigest()[:12]
            name = f"evaluations-{digest}"
        # The number of cells in these, too, is group-components of "evaluations".
        workflow.parent_groupids[name] = "evaluations"
        return name

    return group


def job_flags(wildcards, resources, threads):
    """How a job runs. As it looks at its resources, Snakemake does not rerun for changes of it."""
    flags = ["--threads", str(threads), "--processes", str(resources.gpu)]
    minutes = resources.get("runtime")
    if isinstance(minutes, int):
        flags += ["--minutes", str(minutes)]
    return words([*flags, "--keep", str(FINISHED)])


def on_own_gpus(wildcards, resources):
    """What a command starts with on a machine whose GPUs Snakemake shares out itself.

    Looks at its resources for the same reason as job_flags.
    """
    count = workflow.global_resources.get("gpu")
    if not workflow.local_exec or count is None or count.value is None:
        return ""
    devices = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(
        map(str, range(count.value))
    )
    return words([sys.executable, gpu_slots.__file__, str(resources.gpu), devices])


def if_failed(cell_of):
    """The command that an evaluation that failed ends with, before its output and its log.

    In a job of its own that is its status. So it is in a shared job, which may have met a
    bad node, the first time; another failure leaves a hole. Looks at its resources for the
    same reason as job_flags.
    """

    def command(wildcards, resources):
        shared = MACHINE is not None and may_share(
            cell_of(wildcards), MACHINE, PREDICTED
        )
        if not shared or resources.tries == 1:
            return "exit $? #"
        return f"{words([sys.executable, holes.__file__])} $?"

    return command

# What a run of Snakemake looks at before its first job, and says and clears up at its end.
import shutil
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from rst_core.lease import leases
from rst_core.vocabulary import Source
from workflow import failures, holes, preflight


def check_data_folders():
    """Stop before the first job if a dataset in use is an image folder that does not exist."""
    for name in sorted(DATASETS_IN_USE):
        images = MATRIX.config.datasets[name].images
        for split in ("train", "test"):
            folder = Path(images.path) / split
            on_disk = images.source in (Source.FOLDER, Source.STREAMED_FOLDER)
            if images.source is Source.STREAMED_FOLDER and split == "test":
                folder = folder if folder.is_dir() else Path(images.path) / "val"
            if on_disk and not folder.is_dir():
                raise WorkflowError(
                    f"datasets.{name}.images.path is {images.path!r}, but {str(folder)!r} does not "
                    "exist; an image folder holds train/<class>/… and test/<class>/…"
                )


def check_scheduler():
    """Stop before the first job if SLURM would refuse all; then wait whenever it is away."""
    if workflow.local_exec:
        return
    if MACHINE is None:
        raise WorkflowError(
            "jobs for a scheduler need to say what they ask for; use --profile slurm, or "
            "--config machine=FILE with a file such as slurm/machine.yaml"
        )
    found = list(preflight.problems(MACHINE, MACHINE_FILE))
    if found:
        raise WorkflowError("\n".join(found))
    patient = Path(workflow.basedir) / "workflow" / "bin"
    preflight.put_first(patient)


def check_disk():
    """Stop before the first job if its results would find no room."""
    if full := preflight.disk_problem(Path("results")):
        raise WorkflowError(full)


def say_who_works():
    """Name the cells that jobs of an earlier run still work on: new jobs wait for those."""
    for folder, holder in leases(CHECKPOINTS):
        logger.info(f"{folder}: {holder} works on it; its new job will wait")


def summarise_failures():
    """Name every failed cell with the end of its log, and the artifacts that lack it."""
    failed = [
        failures.Failure(
            job.rule.name, [str(f) for f in job.output], [str(f) for f in job.log]
        )
        for entry in workflow.scheduler.failed
        for job in (entry.jobs if entry.is_group() else [entry])
    ]
    found = holes_of_this_run()
    failed += [
        failures.Failure("", [str(cell)], [str(log)]) for cell, log in found.items()
    ]
    artifacts = [j for j in workflow.dag.jobs if j.rule.name in ("table", "figure")]
    unmade = [j for j in workflow.dag.needrun_jobs() if j in artifacts]
    holed = [
        job
        for job in artifacts
        if job not in unmade and not found.keys().isdisjoint(map(Path, job.input))
    ]
    # To Snakemake these are complete; said to be not, they are made again by the next run.
    for job in workflow.dag.jobs:
        if job in holed or not found.keys().isdisjoint(map(Path, job.output)):
            workflow.persistence.started(job)
    failures.record(failed)
    lacking, gaps = ([str(job.output[0]) for job in jobs] for jobs in (unmade, holed))
    logger.error(failures.summary(failed, list(lacking), sys.argv, list(gaps)))
    if full := preflight.disk_problem(Path("results")):
        logger.error(full)


def holes_of_this_run():
    """Holes among what was asked for, with their logs."""
    asked_for = {Path(file) for job in workflow.dag.jobs for file in job.output}
    return {cell: log for cell, log in holes.holes().items() if cell in asked_for}


def end():
    """A run that left holes has failed, though Snakemake knows of no failed job."""
    if holes_of_this_run():
        summarise_failures()
        raise WorkflowError("some cells failed; see above")
    shutil.rmtree(FINISHED, ignore_errors=True)
    shutil.rmtree(failures.FAILED, ignore_errors=True)
    if not holes.holes():
        shutil.rmtree(holes.HOLES, ignore_errors=True)

# What a run of Snakemake checks before its first job, and reports and clears up at its end.
import atexit
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from rst_core.data.source_files import split_folders
from rst_core.job.lease import leases
from rst_core.vocabulary import Source
from workflow import failures, preflight

if MACHINE is not None:
    from workflow.cluster import executor, preview
    from workflow.cluster.last_saved import last_saved
    from workflow.names import short_name

    def cell_made_by(job):
        """The cell that a job makes, of a model its first epoch; None if it makes none."""
        path = str(job.output[0]) if job.output else ""
        return (
            parse_cell(path[len(CELLS) + 1 :]) if path.startswith(f"{CELLS}/") else None
        )

    def cells_of_job(job):
        """The rules and cells of a job, or of all jobs of a group with models first."""
        jobs = job.jobs if job.is_group() else [job]
        made = [(one.rule.name, cell_made_by(one)) for one in jobs]
        return sorted(
            made,
            key=lambda one: (
                not isinstance(one[1], identity.TrainingCell),
                one[1].path,
            ),
        )

    def job_name(job):
        """A job's name for squeue: its first cell, and how many others it makes."""
        (rule, cell), *others = cells_of_job(job)
        return f"{rule} {short_name(cell)}" + (f" +{len(others)}" if others else "")

    def saved_at(job):
        """When a job's cells last saved something."""
        cells = [cell for _, cell in cells_of_job(job)]
        return last_saved(Path(CELLS), cells)

    if workflow.is_main_process:
        executor.install(MACHINE, slots_of_a_job(), job_name, saved_at)
        preview.install(MACHINE, slots_of_a_job(), cell_made_by)


def check_data_folders():
    """Stop before the first job if a dataset in use is an image folder that does not exist."""
    for name in sorted(DATASETS_IN_USE):
        images = MATRIX.config.datasets[name].images
        if images.source not in (Source.FOLDER, Source.STREAMED_FOLDER):
            continue
        for folder in split_folders(Path(images.path)):
            if not folder.is_dir():
                raise WorkflowError(
                    f"datasets.{name}.images.path is {images.path!r}, but {str(folder)!r} does not "
                    "exist; an image folder holds train/<class>/… and test/<class>/…"
                )


def check_scheduler():
    """Stop before the first job if SLURM would refuse or never start its jobs."""
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
    for line in preflight.notes():
        logger.info(line)


def print_stale():
    """Say which results are made again and why; of a dry run at its end, where its reader looks."""
    if text := stale_text(STALE):
        print(text, file=sys.stderr)


if workflow.is_main_process:
    atexit.register(lambda: workflow.dryrun and print_stale())


def check_disk():
    """Stop before the first job if its results would find no room."""
    if full := preflight.disk_problem(Path(RESULTS)):
        raise WorkflowError(full)


def name_cells_in_work():
    """Log the cells that jobs of an earlier run still hold; new jobs wait for them."""
    for folder, holder in leases(CHECKPOINTS):
        logger.info(f"{folder} is leased by {holder}; its new job will wait")


def summarise_failures():
    """Name every failed cell with the end of its log, and the artifacts that lack it."""
    reasons = {} if MACHINE is None else executor.Executor.reasons
    failed = [
        failures.Failure(
            job.rule.name,
            [str(f) for f in job.output],
            [str(f) for f in job.log],
            reasons.get(str(job.output[0]), ""),
        )
        for entry in workflow.scheduler.failed
        for job in (entry.jobs if entry.is_group() else [entry])
    ]
    found = failed_in_place()
    failed += [
        failures.Failure("", [str(cell)], [str(log)]) for cell, log in found.items()
    ]
    failures.record(failed, RESULTS)
    shown = ("table", "figure", "training_curves")
    artifacts = {
        job: str(job.output[0]) for job in workflow.dag.jobs if job.rule.name in shown
    }
    unmade = [artifacts.pop(j) for j in workflow.dag.needrun_jobs() if j in artifacts]
    incomplete = [
        artifact
        for job, artifact in artifacts.items()
        if not found.keys().isdisjoint(map(Path, job.input))
    ]
    logger.error(failures.summary(failed, unmade, sys.argv, incomplete))
    if full := preflight.disk_problem(Path(RESULTS)):
        logger.error(full)


def failed_in_place():
    """Cells among what was asked for whose files say that they failed, with their logs."""
    wanted = {Path(file) for job in workflow.dag.jobs for file in job.output}
    found = failures.in_place(results=RESULTS)
    return {cell: log for cell, log in found.items() if cell in wanted}


def fail_if_cells_failed():
    """A run in which cells failed has failed, though Snakemake knows of no failed job."""
    if failed_in_place():
        summarise_failures()
        raise WorkflowError("some cells failed; see above")
    failures.forget(RESULTS)

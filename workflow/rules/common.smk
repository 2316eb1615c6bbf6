# Config, matrix and the functions that rules take their inputs and parameters from.
import hashlib
import json
import os
import shlex
import shutil
import re
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from rst_core import spec
from rst_core.flags import to_flags
from rst_core.lease import leases
from rst_core.vocabulary import Selection, Source
from workflow.config import ConfigError, read_config
from workflow.machine import may_share, read_machine, resources as resources_of
from workflow.matrix import CELLS, Matrix, cell_file
from workflow import failures, gpu_slots, holes, preflight
from workflow.artifacts import registry
from workflow.artifacts.claims_data import claim_cells
from workflow.artifacts.page import CLAIMS, PROGRESS, PROTOCOL, label, sortable
from workflow.artifacts.protocol import config_digest
from workflow.plan.calibration import PlanError
from workflow.plan.limits import predicted_minutes

try:
    # Profiles for schedulers name a machine file; without one a job asks for a GPU only.
    MACHINE_FILE = config.pop("machine", None)
    MACHINE = read_machine(Path(MACHINE_FILE)) if MACHINE_FILE else None
    MATRIX = Matrix(read_config(config))
    PREDICTED = lambda cell: None
    if MACHINE and MACHINE.calibration:
        PREDICTED = predicted_minutes(
            Path(MACHINE.calibration), MATRIX, Path("results/data")
        )
except (ConfigError, PlanError) as error:
    raise WorkflowError(f"the config cannot be used:\n{error}") from None

# Cells that share a scheduler's job take turns (slurm/config.yaml). The job starts a Snakemake of
# its own, which is not told of that limit and would ask for the GPUs of all of them at once.
if MACHINE is not None and not workflow.is_main_process:
    workflow.global_resources["turn"] = 1

# rst_core writes RST_JOB into records and leases; what a scheduler calls the job is known here.
PREFIX = "export RST_JOB=${{SLURM_JOB_ID:-}}; "
if MACHINE is not None and MACHINE.device:
    PREFIX += f"export RST_DEVICE=${{{{RST_DEVICE:-{MACHINE.device}}}}}; "
# Jobs run under the very interpreter that runs Snakemake, so that no shell needs an
# activated environment; unless Snakemake was asked to deploy one (--sdm conda).
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    PREFIX += f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
shell.prefix(PREFIX)

# Second names of finished results, for jobs that find their outputs deleted by Snakemake;
# gone as soon as a workflow has nothing left to do (docs/resuming.md).
FINISHED = Path("results/finished")
CHECKPOINTS = Path("results/checkpoints")

SELECTION = MATRIX.config.selection
OTHER_SELECTIONS = [s for s in MATRIX.config.keep_selections if s != SELECTION]

# Datasets that cells of this run read; their folders are checked before any job starts.
DATASETS_IN_USE = set()


wildcard_constraints:
    dataset=r"[a-z0-9_]+",
    network=spec.anonymous(spec.Network.REGEX),
    selection="|".join(Selection),
    attack=spec.anonymous(spec.Evaluation.REGEX),
    row=spec.anonymous(spec.TransferRow.REGEX),
    model="|".join(
        spec.anonymous(kind.REGEX)
        for kind in (spec.Dense, spec.Ticket, spec.FineTuned)
    ),
    dense=spec.anonymous(spec.Dense.REGEX),
    ticket=spec.anonymous(spec.Ticket.REGEX),
    finetuned=spec.anonymous(spec.FineTuned.REGEX),
    candidates=spec.anonymous(spec.CandidateSet.REGEX),


def cell_named(path):
    """The cell that a path below the cells' folder names."""
    try:
        return spec.parse_cell(path)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def files(cells):
    """Paths of cells' files."""
    return [cell_file(cell) for cell in cells]


def manifest(network):
    """Manifest of a network's dataset."""
    if network.dataset not in MATRIX.config.datasets:
        known = ", ".join(MATRIX.config.datasets)
        raise WorkflowError(
            f"{network.dataset!r} is not in datasets; allowed is one of {known}"
        )
    DATASETS_IN_USE.add(network.dataset)
    return f"results/data/{network.dataset}.json"


def words(flags):
    """Flags as one string for a shell command."""
    return " ".join(shlex.quote(word) for word in flags)


def asked(function):
    """Turn the matrix's own errors into Snakemake's, which print as one sentence."""

    def wrapped(*arguments):
        try:
            return function(*arguments)
        except ConfigError as error:
            raise WorkflowError(str(error)) from None

    return wrapped


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


@asked
def training_flags(model):
    """Everything that a training run's result depends on, but its data and its bases."""
    flags = to_flags(MATRIX.network_settings(model.network))
    flags += to_flags(MATRIX.training_settings(model.network.dataset))
    flags += [
        "--selections",
        *MATRIX.config.keep_selections,
        "--base",
        MATRIX.config.selection,
    ]
    return words(flags)


@asked
def attack_flags(cell):
    """Everything that an attack's result depends on, but its data and its models."""
    flags = [
        "--batch-size",
        str(MATRIX.config.attack_batch_size),
        *to_flags(MATRIX.attack(cell)),
    ]
    return words(flags)


@asked
def dataset_digest(network):
    """What tells apart two datasets of one name; the place where the data lies does not."""
    manifest(network)
    flags = to_flags(MATRIX.config.datasets[network.dataset].images)
    flags.pop(flags.index("--path") + 1)
    return hashlib.sha256(words(flags).encode()).hexdigest()[:12]


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


def dense_of(wildcards):
    return spec.parse_model(f"{wildcards.network}/{wildcards.dense}")


def ticket_of(wildcards):
    return spec.parse_model(f"{wildcards.network}/{wildcards.ticket}")


def finetuned_of(wildcards):
    return spec.parse_model(f"{wildcards.network}/{wildcards.finetuned}")


def training_of(model_of):
    """The cell of a rule that makes the model that its wildcards name."""
    return lambda wildcards: spec.TrainingCell(model_of(wildcards), SELECTION)


def evaluation_of(wildcards):
    return cell_named(
        f"{wildcards.network}/{wildcards.model}/{wildcards.selection}/{wildcards.attack}.json"
    )


def model_files(cell):
    """Files of the models that a cell is made on, none if its network is untrained."""
    untrained = isinstance(cell.model, spec.Untrained)
    return [] if untrained else files(MATRIX.sources(cell))


def evaluation_models(wildcards):
    return files(MATRIX.loaded(MATRIX.sources(evaluation_of(wildcards))))


def row_of(wildcards):
    return cell_named(
        f"{wildcards.network}/{wildcards.model}/{wildcards.selection}/{wildcards.row}.json"
    )


@asked
def judges(row):
    """Files of the models that a transfer row is evaluated on."""
    return files(MATRIX.targets(row))


@asked
def sources_and_judges(row):
    """Files of all models that a transfer row loads."""
    return files(MATRIX.loaded([*MATRIX.sources(row), *MATRIX.targets(row)]))


def row_targets(wildcards):
    return judges(row_of(wildcards))


def row_models(wildcards):
    return sources_and_judges(row_of(wildcards))


def set_row_of(wildcards):
    return cell_named(
        f"{wildcards.network}/{wildcards.candidates}/{wildcards.selection}/{wildcards.row}.json"
    )


def set_row_targets(wildcards):
    return judges(set_row_of(wildcards))


def set_row_models(wildcards):
    return sources_and_judges(set_row_of(wildcards))


def adaptive_of(wildcards):
    return cell_named(
        f"{wildcards.network}/{wildcards.candidates}/{wildcards.selection}/{wildcards.attack}.json"
    )


def adaptive_models(wildcards):
    return files(MATRIX.loaded(MATRIX.sources(adaptive_of(wildcards))))


def features_of(wildcards):
    folder = f"{wildcards.network}/{wildcards.folder}"
    return cell_named(f"{folder}/feature_distance.json")


@asked
def features_flags(cell):
    grids = (e.feature_distance for e in MATRIX.config.experiments.values())
    grid = sorted({eps for grid in grids for eps in grid})
    if not grid:
        raise ConfigError(
            "no experiment has a feature_distance; it lists noise magnitudes"
        )
    flags = to_flags(MATRIX.network_settings(cell.model.network))
    return words([*flags, "--eps-grid", *map(spec.format_number, grid)])


def artifact_code():
    """Digest of the code and the published numbers that artifacts are made with."""
    folder = Path(workflow.basedir) / "workflow"
    patterns = ("artifacts/*.py", "paper/*.csv", "paper/*.yaml")
    sources = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return hashlib.sha256(
        b"".join(source.read_bytes() for source in sources)
    ).hexdigest()[:12]


def shown_config():
    """The part of the config that artifacts show: labels, notes, roles and axes."""
    keys = {
        "selection",
        "seeds",
        "roles",
        "experiments",
        "datasets",
        "networks",
        "attacks",
    }
    shown = json.dumps(
        MATRIX.config.model_dump(mode="json", include=keys), sort_keys=True
    )
    return hashlib.sha256(shown.encode()).hexdigest()[:12]


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


ARTIFACTS = registry.TABLES | registry.FIGURES
LABELLED = {label(artifact): artifact for artifact in ARTIFACTS.values()}


def page_category(wildcards):
    """Where the report shows a page; it sorts categories by name."""
    name = getattr(wildcards, "label", PROTOCOL)
    if name in LABELLED:
        is_table = LABELLED[name].name in registry.TABLES
        return "2 Tables" if is_table else "3 Figures"
    return {PROGRESS: "0 Progress", CLAIMS: "1 Claims", PROTOCOL: "4 Protocol"}[name]


def page_labels(wildcards):
    """What the report shows of a page in its list."""
    name = getattr(wildcards, "label", PROTOCOL)
    if name not in LABELLED:
        return {"title": name}
    artifact = LABELLED[name]
    shown = {cell.model.network.dataset for cell in artifact.cells(MATRIX)}
    foreign = any(MATRIX.config.datasets[d].stand_in_for for d in shown)
    return {"title": sortable(artifact.title) + (" †" if foreign else "")}


def datasets_of_cells():
    """Datasets that any measured cell reads."""
    return sorted({cell.model.network.dataset for cell in MATRIX.all_cells()})

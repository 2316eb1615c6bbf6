# Config, matrix and the functions that rules take their inputs and parameters from.
import hashlib
import json
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

from rst_core import spec
from rst_core.flags import to_flags
from rst_core.lease import leases
from rst_core.vocabulary import Selection, Source
from workflow.config import ConfigError, read_config
from workflow.matrix import CELLS, Matrix, cell_file
from workflow import failures
from workflow.artifacts import registry

try:
    MATRIX = Matrix(read_config(config))
except ConfigError as error:
    raise WorkflowError(f"the config cannot be used:\n{error}") from None

# rst_core writes RST_JOB into records and leases; what a scheduler calls the job is known here.
PREFIX = "export RST_JOB=${{SLURM_JOB_ID:-}}; "
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


def job_flags(wildcards, resources, threads):
    """How a job runs. As it looks at its resources, Snakemake does not rerun for changes of it."""
    flags = ["--threads", str(threads), "--processes", str(resources.gpu)]
    minutes = resources.get("runtime")
    if isinstance(minutes, int):
        flags += ["--minutes", str(minutes)]
    return words([*flags, "--keep", str(FINISHED)])


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


def evaluation_of(wildcards):
    return cell_named(
        f"{wildcards.network}/{wildcards.model}/{wildcards.selection}/{wildcards.attack}.json"
    )


def evaluation_models(wildcards):
    return files(MATRIX.loaded(MATRIX.sources(evaluation_of(wildcards))))


def row_of(wildcards):
    return cell_named(
        f"{wildcards.network}/{wildcards.model}/{wildcards.selection}/{wildcards.row}.json"
    )


@asked
def row_targets(wildcards):
    return files(MATRIX.targets(row_of(wildcards)))


@asked
def row_models(wildcards):
    row = row_of(wildcards)
    return files(MATRIX.loaded([*MATRIX.sources(row), *MATRIX.targets(row)]))


def adaptive_of(wildcards):
    return cell_named(
        f"{wildcards.network}/{wildcards.candidates}/{wildcards.selection}/{wildcards.attack}.json"
    )


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
    sources = sorted([*folder.glob("artifacts/*.py"), *folder.glob("paper/*.csv")])
    return hashlib.sha256(
        b"".join(source.read_bytes() for source in sources)
    ).hexdigest()[:12]


def shown_config():
    """The part of the config that artifacts show: labels, notes, roles and axes."""
    keys = {"selection", "seeds", "roles", "experiments", "datasets", "networks"}
    shown = json.dumps(
        MATRIX.config.model_dump(mode="json", include=keys), sort_keys=True
    )
    return hashlib.sha256(shown.encode()).hexdigest()[:12]


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
    lacking = [
        str(job.output[0])
        for job in workflow.dag.needrun_jobs()
        if job.rule.name in ("table", "figure")
    ]
    logger.error(failures.summary(failed, lacking, sys.argv))

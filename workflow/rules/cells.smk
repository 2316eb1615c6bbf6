# The cell that a job's wildcards name, what it is made from, and whether it has to be made.
import dataclasses
import functools
import sys

from snakemake.exceptions import WorkflowError

from rst_core import identity
from rst_core.forms import regex
from workflow.config import ConfigError
from workflow.images import Datasets
from workflow.keys import Keys, State, stale_text

DATASETS = Datasets(MATRIX, lambda: not workflow.dryrun)
KEYS = Keys(MATRIX, DATASETS.digest)
#: Why results are made again, by file; filled while Snakemake builds its plan.
STALE = {}
# A path is looked at once for each input, parameter and resource of its job.
parse_cell = functools.cache(identity.parse_cell)


def as_workflow_error(function):
    """Turn the matrix's own errors into Snakemake's, which print as one sentence."""

    def wrapped(*arguments):
        try:
            return function(*arguments)
        except (ConfigError, ValueError) as error:
            raise WorkflowError(str(error)) from None

    return wrapped


@as_workflow_error
def cell_of(wildcards):
    """The cell that wildcards name; of a model, the one whose epoch is attacked."""
    if "model" in wildcards.keys():
        return identity.TrainingCell(identity.parse_model(wildcards.model), SELECTION)
    return parse_cell(f"{wildcards.cell}.json")


def cells_made_with(cell):
    """All cells that the job of a cell makes: a training run makes all kept epochs."""
    if isinstance(cell, identity.TrainingCell):
        kept = MATRIX.config.keep_selections
        return [dataclasses.replace(cell, selection=selection) for selection in kept]
    return [cell]


@functools.cache
def file_of(cell):
    """A cell's file as input of a job.

    Its time says nothing, so it is ancient; but for one that is made again, as Snakemake looks at
    no other reason of a job whose input is made by another.
    """
    path = MATRIX.file(cell)
    if workflow.is_main_process and any(
        KEYS.status(other).reason for other in cells_made_with(cell)
    ):
        return path
    return ancient(path)


def files(cells):
    """Files of cells as input of a job."""
    return [file_of(cell) for cell in cells]


@functools.cache
def use_keys_only():
    """Let nothing but missing files and keys decide what is made, and delete no file.

    Snakemake's triggers (params and code of rules) and its marks of files that it does not know
    to be whole say less than keys. A file that is there is whole, also after a failure.
    """
    triggers = {"rerun_triggers": frozenset(), "force_incomplete": True}
    workflow.dag_settings = dataclasses.replace(workflow.dag_settings, **triggers)
    if workflow.execution_settings:
        workflow.execution_settings = dataclasses.replace(
            workflow.execution_settings, keep_incomplete=True
        )


def make_again(path, reason=""):
    """Have Snakemake make an existing file again; it asks before it decides what to run."""
    if workflow.is_main_process:
        use_keys_only()
        workflow.dag.forcefiles.add(str(path))
        # Snakemake's report shows whatever files are there.
        if reason and "--report" in sys.argv:
            raise WorkflowError(
                f"{path} is stale ({reason}), so the report cannot show it; run the same command "
                "without --report first"
            )
        if reason:
            STALE[str(path)] = reason


def check_dataset(name):
    """Whether a dataset's images are known; if not, its manifest is made again by a job."""
    if not workflow.is_main_process or DATASETS.digest(name) is not None:
        return True
    if Path(MATRIX.manifest(name)).exists():
        make_again(MATRIX.manifest(name))
    return False


@as_workflow_error
def checked_dataset(wildcards):
    """No input, but images that exist are read when the plan is made."""
    check_dataset(wildcards.dataset)
    return []


@as_workflow_error
def models_below(wildcards):
    """Files of all models that a cell's job reads; stale ones are made again."""
    cell = cell_of(wildcards)
    if workflow.is_main_process:
        use_keys_only()
        for one in cells_made_with(cell):
            if reason := KEYS.status(one).reason:
                make_again(MATRIX.file(one), reason)
    return files(MATRIX.loaded(MATRIX.input_models(cell)))


@as_workflow_error
def manifest_of(wildcards):
    """Manifest of a cell's dataset."""
    name = cell_of(wildcards).model.network.dataset
    DATASETS_IN_USE.add(name)
    path, known = MATRIX.manifest(name), check_dataset(name)
    if known and not Path(path).exists():
        return []  # a dry run has read the images and written nothing
    return ancient(path) if known else path


@as_workflow_error
def checkpoint_of(wildcards):
    """The file of a foreign model; its bytes count, not its time."""
    return ancient(MATRIX.checkpoint(cell_of(wildcards).model).file)


@as_workflow_error
def target_flags(wildcards):
    """The flag that names the files of the models that a transfer row is evaluated on."""
    targets = MATRIX.targets(cell_of(wildcards))
    return shlex.join(["--targets", *map(MATRIX.file, targets)])


@as_workflow_error
def settings_of(wildcards):
    """The settings of a cell as one JSON document."""
    return MATRIX.document(cell_of(wildcards))


# Regular expressions of what rules make: paths below the cells' folder.
NETWORK = regex(identity.Network)


def trained(kind):
    """Of one kind of model."""
    return f"{NETWORK}/(?:{regex(kind)})"


def measured(cell, *kinds):
    """Of one kind of cell on some kinds of models, without .json."""
    models = "|".join(regex(kind) for kind in kinds)
    selections = "|".join(Selection)
    return f"{NETWORK}/(?:{models})/(?:{selections})/{regex(cell)}"


def kept(name):
    """Files of a model, one for each epoch that is kept; a job makes them all."""
    others = [s for s in MATRIX.config.keep_selections if s != SELECTION]
    return {
        "selected": update(f"{CELLS}/{{model}}/{SELECTION}/{name}.pt"),
        "others": [update(f"{CELLS}/{{model}}/{other}/{name}.pt") for other in others],
    }


# What all rules that make cells have in common: the job is told the cell's path, its dataset and
# its settings. It writes its files whole or not at all and leaves fresh ones alone, so that all
# outputs are update(): Snakemake deletes none before the job. Of those that were not there before
# a job that failed it says that there is no backup, which helps nobody.
logger.addFilter(lambda record: "no backup found" not in record.getMessage())
JOB = {
    "on": on_own_gpus,
    "job": job_flags,
    "settings": settings_of,
    "failed": if_failed,
}


def makes(output, more=""):
    """The shell command of jobs that make cells, which is one rst command."""
    return (
        f"{{params.on}} python -m rst_core {{params.command}} {output} --data {{input.data}}"
        f" --settings {{params.settings:q}} {more} {{params.job}} 2> {{log}}"
    )

# The cell that a job's wildcards name, and the files of it and of what it is made from.
from snakemake.exceptions import WorkflowError

from rst_core import spec
from workflow.config import ConfigError
from workflow.matrix import cell_file


def cell_named(path):
    """The cell that a path below the cells' folder names."""
    try:
        return spec.parse_cell(path)
    except ValueError as error:
        raise WorkflowError(str(error)) from None


def files(cells):
    """Paths of cells' files."""
    return [cell_file(cell) for cell in cells]


def asked(function):
    """Turn the matrix's own errors into Snakemake's, which print as one sentence."""

    def wrapped(*arguments):
        try:
            return function(*arguments)
        except ConfigError as error:
            raise WorkflowError(str(error)) from None

    return wrapped


def manifest(network):
    """Manifest of a network's dataset."""
    if network.dataset not in MATRIX.config.datasets:
        known = ", ".join(MATRIX.config.datasets)
        raise WorkflowError(
            f"{network.dataset!r} is not in datasets; allowed is one of {known}"
        )
    DATASETS_IN_USE.add(network.dataset)
    return f"results/data/{network.dataset}.json"


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

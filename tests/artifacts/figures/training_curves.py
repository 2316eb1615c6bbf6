"""Made-up trainings and their curves."""

import itertools
from dataclasses import replace

from rst_core.curves import METRICS, Epoch, write_curve
from rst_core.identity import Dense, TrainingCell
from rst_core.key import Inputs
from rst_core.storage import checksum, file_digest, save_tensors
from tests.artifacts.made_up import IMAGES
from tests.test_curves import lines
from workflow.artifacts.figures import training
from workflow.artifacts.figures.training_parts import trained
from workflow.matrix import Matrix

PAGE = "partial/pages/Training overview of all.html"


def epochs(cell: TrainingCell, matrix: Matrix) -> list[Epoch]:
    settings = matrix.training_settings(cell.model.network.dataset)
    curve = [Epoch(**line) for line in lines(*itertools.repeat(30, settings.epochs))]
    if isinstance(cell.model, Dense) and cell.model.adversary is None:
        return [replace(one, validation_robust=None) for one in curve]
    return curve


def write_model(root, cell: TrainingCell, matrix: Matrix, *robust: float):
    """A model file that is fresh, with the curve of its training."""
    file = root / matrix.file(cell)
    metrics = file.parents[1] / METRICS
    write_curve(metrics, lines(*robust))
    header = {
        **Inputs(matrix.settings(cell), IMAGES).record_fields(cell.path, "bases"),
        "identity": cell.path,
        "contents": checksum("contents"),
        "provenance": {"curve": file_digest(metrics)},
    }
    save_tensors(file, {}, "Model", header)
    return metrics


def rsts(matrix: Matrix) -> list[TrainingCell]:
    cells = trained(matrix, "existence")
    return [cell for cell in cells if cell.model.network.name == "resnet18_narrow"]


def draw(experiment: str, matrix: Matrix, *, of=lambda cell: True):
    curves = {c: epochs(c, matrix) for c in trained(matrix, experiment) if of(c)}
    data = training.build(experiment, curves, matrix)
    return data, training.draw(experiment, data, matrix)

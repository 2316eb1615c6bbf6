"""Minutes of cells for a scheduler's time limits, by a calibration."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from rst_core.spec import Cell
from workflow.machine import Predicted
from workflow.matrix import Matrix
from workflow.plan.calibration import NotCalibratedError, PlanError, read_calibration
from workflow.plan.cost import CostModel
from workflow.plan.sizes import ImageCounts, image_counts


def predicted_minutes(calibration: Path, matrix: Matrix, manifests: Path) -> Predicted:
    """Minutes of a whole job on one GPU, every image standing: what a cell takes at most.

    Args:
        calibration: file that ``rst calibrate`` wrote on such a GPU.
        matrix: the cells' settings.
        manifests: folder of the datasets' manifests.

    Raises:
        PlanError: if the file cannot be used.
    """

    @cache
    def images(dataset: str) -> ImageCounts:
        return image_counts(dataset, matrix.config.datasets[dataset].images, manifests)

    model = CostModel(matrix, read_calibration(calibration), images)

    @cache
    def minutes(cell: Cell) -> float | None:
        try:
            return model.cost(cell).total / 60
        except (NotCalibratedError, PlanError):
            return None  # the table knows

    return minutes

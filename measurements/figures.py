"""Figure 7 on real images, from the committed cells: ``python -m measurements.figures``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from measurements.tables import CELLS
from workflow.artifacts.make import make
from workflow.artifacts.registry import FIGURES
from workflow.plan.project import Project

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/images/cifar10_fig7.png"


def draw(stem: Path) -> None:
    """Write Figure 7 of the run on all of CIFAR-10 as ``stem`` with .csv, .png and .pdf."""
    matrix = Project(ROOT, [ROOT / "measurements/cifar10_50k.yaml"]).matrix
    figure = FIGURES["fig7"]
    make(figure, [CELLS / cell.path for cell in figure.cells(matrix)], matrix, stem)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder, "fig7"))
        shutil.copy(Path(folder, "fig7.png"), PICTURE)

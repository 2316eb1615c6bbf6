"""Figure 7, also with all steps, from the committed cells: ``python -m measurements.figures``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from measurements.tables import CELLS
from workflow.artifacts.make import make
from workflow.artifacts.registry import FIGURES
from workflow.plan.project import Project

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs/images"
NAMES = ("fig7", "fig7_all_steps")


def draw(name: str, stem: Path) -> None:
    """Write a figure of the run on all of CIFAR-10 as ``stem`` with .csv, .png and .pdf."""
    matrix = Project(ROOT, [ROOT / "measurements/cifar10_50k.yaml"]).matrix
    figure = FIGURES[name]
    make(figure, [CELLS / cell.path for cell in figure.cells(matrix)], matrix, stem)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            draw(name, Path(folder, name))
            shutil.copy(Path(folder, f"{name}.png"), IMAGES / f"cifar10_{name}.png")

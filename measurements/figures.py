"""Tables and figures of the run on all of CIFAR-10, drawn by the workflow from the committed cells.

python -m measurements.figures
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from measurements.numbers import CELLS
from rst_core.curves import METRICS, read_curve
from workflow.artifacts import style
from workflow.artifacts.figures import training
from workflow.artifacts.figures.training_parts import trained
from workflow.artifacts.make import make
from workflow.artifacts.registry import ARTIFACTS
from workflow.plan.project import Project

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs/images"
MATRIX = Project(ROOT, [ROOT / "measurements/cifar10_50k.yaml"]).matrix
NAMES = ("fig7", "fig7_all_steps", "table2", "table3", "table5", "r2s_stress")
#: Experiments whose training curves are drawn.
TRAINED = ("dense", "existence", "rates")


def draw(name: str, stem: Path) -> None:
    """Write an artifact as ``stem`` with .csv, .png and its other endings."""
    artifact = ARTIFACTS[name]
    make(artifact, [CELLS / cell.path for cell in artifact.cells(MATRIX)], MATRIX, stem)


def draw_curves(experiment: str, path: Path) -> None:
    """Write the picture of an experiment's training curves."""
    files = {cell: CELLS / cell.model.path / METRICS for cell in trained(MATRIX, experiment)}
    curves = {cell: read_curve(file) for cell, file in files.items() if file.is_file()}
    data = training.build(experiment, curves, MATRIX)
    style.save(training.draw(experiment, data, MATRIX), path, tight=False)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            draw(name, Path(folder, name))
            shutil.copy(Path(folder, f"{name}.png"), IMAGES / f"cifar10_{name}.png")
    for experiment in TRAINED:
        draw_curves(experiment, IMAGES / f"cifar10_training_{experiment}.png")

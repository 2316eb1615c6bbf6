"""The small demo that goes through SLURM leaves out no kind of cell and no artifact."""

from __future__ import annotations

import pytest

from rst_core.identity import Cell, Evaluation, TransferRow
from tests.golden import cells
from tests.slurm.small_demo import DEMO
from tests.test_config import extended
from workflow.artifacts import registry
from workflow.config import read_config
from workflow.matrix import Matrix
from workflow.plan.needs import Graph, kind_label, with_inputs


@pytest.fixture(scope="module")
def demo() -> Matrix:
    return Matrix(read_config(extended(DEMO)))


@pytest.fixture(scope="module")
def small() -> Matrix:
    return cells.small()


def kinds(matrix: Matrix) -> set[tuple[str, ...]]:
    """What is made how, of what and for whom."""
    graph = Graph(matrix)
    return {_kind(job.cell) for job in with_inputs(graph.jobs(matrix.all_cells()))}


def _kind(cell: Cell) -> tuple[str, ...]:
    origin = str(getattr(cell.model, "origin", ""))
    targets = cell.targets if isinstance(cell, TransferRow) else ""
    attack = cell.attack if isinstance(cell, Evaluation | TransferRow) else ""
    return (kind_label(cell), type(cell.model).__name__, origin, attack, targets)


def test_every_kind_of_cell_of_the_demo_is_in_it(demo: Matrix, small: Matrix) -> None:
    assert kinds(small) == kinds(demo)


def test_every_artifact_has_cells(small: Matrix) -> None:
    made = set(small.all_cells())
    for name, artifact in (registry.TABLES | registry.FIGURES).items():
        shown = set(artifact.cells(small))
        # Section 4.7 is about the wide network, which the demo has not.
        assert bool(shown) == (name != "sec47"), name
        assert shown <= made


def test_it_is_small(demo: Matrix, small: Matrix) -> None:
    assert len(set(small.all_cells())) < len(set(demo.all_cells()))
    for experiment in small.config.experiments:
        for cell in small.cells(experiment):
            settings = small.training_settings(cell.model.network.dataset)
            assert settings.epochs == 1
            if isinstance(cell, Evaluation | TransferRow):
                assert (small.attack(cell).images or 1000) <= 10

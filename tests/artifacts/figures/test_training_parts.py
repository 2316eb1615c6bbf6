"""Which models have curves."""

import pytest

from rst_core.identity import Ticket, TrainingCell
from workflow.artifacts.figures.training_parts import ALL, experiments, trained, trained_cells
from workflow.matrix import Matrix
from workflow.plan.needs import Graph, with_inputs


@pytest.mark.parametrize("matrix", ["demo", "paper"])
def test_curves_are_of_every_model_that_is_trained_and_ask_for_no_other(matrix, request):
    matrix = request.getfixturevalue(matrix)
    graph = Graph(matrix)
    jobs = {job.cell for job in with_inputs(graph.jobs(matrix.all_cells()))}
    made = {cell for cell in jobs if isinstance(cell, TrainingCell)}
    assert set(trained_cells(matrix)) == made
    shown = {cell for name in experiments(matrix) for cell in trained_cells(matrix, name)}
    assert shown == made
    assert ALL not in matrix.config.experiments
    assert experiments(matrix, "existence") == ["existence"]
    assert all(isinstance(cell.model, Ticket) for cell in trained_cells(matrix, "existence"))


def test_a_model_that_was_not_trained_here_has_no_curve(demo):
    cells = trained(demo, "existence")
    other = Matrix(demo.config)
    other.__dict__["foreign"] = {cells[0].model.path: "somebody's"}
    assert trained(other, "existence") == cells[1:]

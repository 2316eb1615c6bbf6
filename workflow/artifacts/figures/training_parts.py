"""Which models the training curves of an experiment are of.

Nothing here loads pandas or matplotlib: the Snakefile reads it in every job.
"""

from __future__ import annotations

from functools import cache

from rst_core.identity import Model, TrainingCell
from workflow.matrix import Matrix

#: Stands for all experiments where one is named.
ALL = "all"


def experiments(matrix: Matrix, name: str = ALL) -> list[str]:
    """An experiment, or all of those that train models."""
    named = [name] if name != ALL else list(matrix.config.experiments)
    return [one for one in named if trained(matrix, one)]


def trained(matrix: Matrix, experiment: str) -> list[TrainingCell]:
    """The models of an experiment that are trained here, and what else its cells need.

    A model of another experiment is shown there only.
    """
    measured = [base for cell in matrix.cells(experiment) for base in matrix.input_models(cell)]
    below = [base for cell in measured for base in matrix.bases(cell.model)]
    own, all_own = set(matrix.models(experiment)), _models(matrix)
    return [
        cell
        for cell in dict.fromkeys([*measured, *below])
        if (cell.model in own or cell.model not in all_own)
        and cell.model.path not in matrix.foreign
    ]


@cache
def _models(matrix: Matrix) -> frozenset[Model]:
    """The models of all experiments."""
    return frozenset(m for name in matrix.config.experiments for m in matrix.models(name))


def trained_cells(matrix: Matrix, name: str = ALL) -> list[TrainingCell]:
    """The models of an experiment, or of all, each once."""
    found = (cell for one in experiments(matrix, name) for cell in trained(matrix, one))
    return list(dict.fromkeys(found))

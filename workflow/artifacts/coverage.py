"""Whether every value of every axis of an experiment is shown by the artifacts that name it.

An axis that is accepted is used, or refused: what is measured for an artifact's experiment and
shown by none is an error of the config, found before any job starts. Experiments that no artifact
names are free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rst_core.axes import METHOD_KEYS
from rst_core.identity import Cell
from workflow.artifacts.artifact import Artifact, cells_of
from workflow.config import Experiment
from workflow.config_attacks import ATTACKED, Measurement
from workflow.matrix import Matrix

#: What is measured on each model; may be empty. An attack has a value for each of its sizes.
MEASURED = (*ATTACKED, "feature_distance")
AXES = ("models", "networks", "datasets", *METHOD_KEYS, "keep_ratios", "candidate_sets", *MEASURED)


def problems(artifacts: Iterable[Artifact], matrix: Matrix) -> Iterator[str]:
    """A sentence for every value of an axis that is measured and not shown."""
    artifacts = list(artifacts)
    # What is shown of one seed is shown of all; of one alone there is no other seed's.
    matrix = Matrix(matrix.config.model_copy(update={"seeds": matrix.config.seeds[:2]}))
    shown = {cell for one in artifacts for cell in one.cells(matrix, attacked=True)}
    for name, experiment in matrix.config.experiments.items():
        naming = [one for one in artifacts if name in one.experiments]
        if not naming or not experiment.models:
            continue
        found = [*_unused(name, experiment, naming, matrix)]
        lost = [cell for cell in cells_of(name, experiment, matrix) if cell not in shown]
        if lost:
            found += _hidden(name, experiment, AXES, shown, "no table and no figure shows", matrix)
        for one in naming if not found else []:
            reason = f"{one.name} does not show"
            found += _hidden(name, experiment, METHOD_KEYS, set(one.cells(matrix)), reason, matrix)
        yield from found
        if lost and not found:
            yield (
                f"experiments.{name} asks for {lost[0].path}, which no table and no figure "
                f"shows, and for {len(lost) - 1} others; narrow the axes of the experiment"
            )


def _hidden(
    name: str,
    experiment: Experiment,
    axes: Iterable[str],
    shown: set[Cell],
    reason: str,
    matrix: Matrix,
) -> Iterator[str]:
    """A sentence for every axis that has values without any shown cell."""
    everything = set(cells_of(name, experiment, matrix))
    for axis in axes:
        values = list(_values(experiment, axis))
        hidden = []
        alone = len(values) == 1 and axis not in MEASURED
        for index, (label, _) in enumerate([] if alone else values):
            others = [value for i, (_, value) in enumerate(values) if i != index]
            rest = experiment.model_copy(update={axis: others})
            own = everything.difference(cells_of(name, rest, matrix))
            hidden += [label] if own and own.isdisjoint(shown) else []
        if hidden:
            yield (
                f"experiments.{name}.{axis} has {', '.join(hidden)}, which {reason}; remove "
                "them, or move them to an experiment of their own"
            )


def _unused(
    name: str, experiment: Experiment, naming: list[Artifact], matrix: Matrix
) -> Iterator[str]:
    """A sentence for candidate sets and sizes of noise, which need not have cells of their own."""
    slices = [s for one in naming for s in one.slices(matrix) if s.experiment == name]
    for axis in ("candidate_sets", "feature_distance"):
        used = [v for s in slices if s.attacked for v in getattr(s.narrowed, axis)]
        unused = [value for value in getattr(experiment, axis) if value not in used]
        if unused:
            yield (
                f"experiments.{name}.{axis} has {', '.join(map(str, unused))}, which no table and "
                "no figure shows; remove them"
            )


def _values(experiment: Experiment, axis: str) -> Iterator[tuple[str, Any]]:
    """The values of an axis with what they are called; an attack has one for each size."""
    for value in getattr(experiment, axis):
        if not isinstance(value, Measurement):
            yield str(value), value
        elif isinstance(value.eps, list):
            for eps in value.eps:
                yield f"{value.attack} at eps {eps:g}", value.model_copy(update={"eps": [eps]})
        else:
            yield value.attack, value

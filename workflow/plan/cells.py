"""The cells of the matrix by the values of their axes: ``rst cells``. Makes and locks nothing."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence

from rst_core.axes import cell_axes
from rst_core.identity import Cell
from workflow.keys import State
from workflow.machine import kind_of
from workflow.matrix import Matrix
from workflow.names import value_text
from workflow.plan.needs import Graph, with_inputs
from workflow.plan.project import PlanError, Project
from workflow.plan.targets import suggestion
from workflow.text import accuracies, table

#: The values of a cell, or of all, by axis, as they are typed; some have several names.
Axes = Mapping[str, set[str]]


def find(matrix: Matrix, words: Sequence[str]) -> list[Cell]:
    """The cells that all words match: those of all experiments, and the models under them.

    Args:
        matrix: the config's.
        words: a value of any axis (``resnet18``, also where that is a role), or ``axis=value``,
            where the axis may be shortened (``keep=0.2``).

    Raises:
        PlanError: for a word that no cell of the matrix matches, with those that are allowed,
            and if no cell matches all of them.
    """
    axes = _axes_of_all(matrix)
    known = defaultdict[str, set[str]](set)
    for one in axes.values():
        for axis, values in one.items():
            known[axis] |= values
    wanted = [_read(word, known) for word in words]
    found = [
        cell
        for cell, one in axes.items()
        if all(any(value in one.get(axis, ()) for axis in among) for among, value in wanted)
    ]
    if not found:
        raise PlanError(
            f"no cell matches all of {' '.join(words)}, each of which some cell matches; "
            "leave one out to see which cells there are"
        )
    return found


def _axes_of_all(matrix: Matrix) -> dict[Cell, Axes]:
    experiments = defaultdict[Cell, set[str]](set)
    for name in matrix.config.experiments:
        for cell in matrix.cells(name):
            experiments[cell].add(name)
    roles = defaultdict[tuple[str, str], set[str]](set)
    played = {"dataset": matrix.config.roles.datasets, "network": matrix.config.roles.networks}
    for axis, names in played.items():
        for role, name in names.items():
            roles[axis, name].add(role)
    found: dict[Cell, Axes] = {}
    for job in with_inputs(Graph(matrix).jobs(experiments)):
        cell = job.cell
        texts = {axis: value_text(v) for axis, v in cell_axes(cell).items() if v is not None}
        own = {axis: {text} | roles.get((axis, text), set()) for axis, text in texts.items()}
        kinds = {"kind": {kind_of(cell)}, "experiment": experiments.get(cell, set())}
        found[cell] = kinds | own
    return found


def _read(word: str, known: Axes) -> tuple[list[str], str]:
    """The axes on which a word may match, and the value that it must find there."""
    name, equals, value = word.rpartition("=")
    axes = [_axis(name, known)] if equals else list(known)
    spelt = {one.casefold(): one for axis in axes for one in known[axis]}
    value = spelt.get(value.casefold(), value)  # RST and CIFAR10 as in a sentence
    if not any(value in known[axis] for axis in axes):
        allowed = "; ".join(f"{axis}={'|'.join(sorted(known[axis]))}" for axis in axes)
        near = suggestion(value, sorted(set().union(*(known[axis] for axis in axes))))
        raise PlanError(f"no cell of the matrix has {word!r}{near}; allowed are {allowed}")
    return axes, value


def _axis(name: str, known: Axes) -> str:
    found = [name] if name in known else [axis for axis in known if axis.startswith(name or "=")]
    if len(found) != 1:
        several = f"may be {' or '.join(found)}" if found else "is no axis"
        raise PlanError(f"{name!r} {several}; allowed are {', '.join(known)}")
    return found[0]


def cells_text(project: Project, cells: Sequence[Cell]) -> str:
    """The cells with their states and their accuracies in percent, and why some are stale."""
    states = [project.keys.state(cell) for cell in cells]
    rows = [
        [state.value, _value(project, cell), project.matrix.file(cell)]
        for cell, state in zip(cells, states, strict=True)
    ]
    summary = ", ".join(f"{states.count(s):,} {s}" for s in State if s in states)
    blocks = [
        table(["state", "accuracy in percent", "cell"], rows),
        f"{len(cells):,} cells: {summary}.",
        project.stale(cells),
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _value(project: Project, cell: Cell) -> str:
    """The accuracies of a measured cell; empty for a model and where there are none."""
    path = project.root / project.matrix.file(cell)
    if path.suffix != ".json" or project.keys.state(cell) is State.MISSING:
        return ""
    try:
        return accuracies(json.loads(path.read_text(encoding="utf-8"))["results"])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return ""  # it is stale, and why is said below the table

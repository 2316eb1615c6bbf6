"""Targets by the names that Snakemake knows them by, as cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from rst_core.identity import Cell, split_cell_path
from workflow.artifacts import registry
from workflow.artifacts.artifact import Artifact
from workflow.artifacts.figures.training_parts import ALL, trained_cells
from workflow.matrix import Matrix
from workflow.plan.project import PlanError

ARTIFACTS: dict[str, Artifact] = {**registry.TABLES, **registry.FIGURES}


def parts_of(targets: Sequence[str], matrix: Matrix) -> dict[str, Sequence[Cell]]:
    """Targets as the rules name them: one part a target, or all parts of a single target.

    Returns:
        The cells of each part, by its name, without what they need in turn.

    Raises:
        PlanError: for a target that names nothing, with what may have been meant.
    """
    if len(targets) == 1:
        return _parts(targets[0], matrix)
    return {
        target: [cell for cells in _parts(target, matrix).values() for cell in cells]
        for target in targets
    }


def _parts(target: str, matrix: Matrix) -> dict[str, Sequence[Cell]]:
    groups = {
        "all_tables": list(registry.TABLES),
        "all_figures": list(registry.FIGURES),
        "all_cells": [f"cells_{name}" for name in matrix.config.experiments],
    }
    groups["all"] = [name for group in groups.values() for name in group]
    if target in groups:
        return {
            part: cells for name in groups[target] for part, cells in _parts(name, matrix).items()
        }
    if (name := _artifact_name(target, matrix)) is not None:
        return {name: ARTIFACTS[name].cells(matrix)}
    folder, _, name = target.rpartition("/")
    if folder == f"{matrix.results}/training" and name in (ALL, *matrix.config.experiments):
        return {target: trained_cells(matrix, name)}
    experiment = target.removeprefix("cells_")
    if experiment in matrix.config.experiments:
        return {f"cells_{experiment}": matrix.cells(experiment)}
    if "/" not in target:
        raise PlanError(_unknown(target, list(groups), matrix))
    try:
        _, cell = split_cell_path(target)
    except ValueError as error:
        below = matrix.results
        raise PlanError(f"{error}; artifacts are {below}/tables/… and {below}/figures/…") from None
    return {matrix.file(cell): [cell]}


def _artifact_name(target: str, matrix: Matrix) -> str | None:
    """The artifact that a name (table3) or a file (results/tables/table3.png) is about."""
    folder, _, file = target.rpartition("/")
    known: dict[str, Mapping[str, Artifact]] = {
        "": ARTIFACTS,
        f"{matrix.results}/tables": registry.TABLES,
        f"{matrix.results}/figures": registry.FIGURES,
    }
    name = file.partition(".")[0] if folder else file
    return name if name in known.get(folder, ()) else None


def _unknown(target: str, groups: list[str], matrix: Matrix) -> str:
    experiments = [f"cells_{name}" for name in matrix.config.experiments]
    near = get_close_matches(target, [*groups, *ARTIFACTS, *experiments], n=3)
    meant = f" (did you mean {' or '.join(near)}?)" if near else ""
    return (
        f"{target!r} is no target{meant}; allowed are {', '.join(groups)}, an artifact "
        f"({', '.join(ARTIFACTS)}), an experiment's cells ({', '.join(experiments)}) or the path "
        f"of a cell below {matrix.results}/cells"
    )

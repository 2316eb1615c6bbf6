"""Targets by the names that Snakemake knows them by, as cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from rst_core.identity import Cell, split_cell_path
from workflow.artifacts import registry
from workflow.artifacts.artifact import Artifact
from workflow.artifacts.figures.training_parts import ALL, trained_cells
from workflow.artifacts.registry import ARTIFACTS
from workflow.matrix import Matrix
from workflow.plan.project import PlanError


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
    folder, _, file = target.rpartition("/")
    known: dict[str, Mapping[str, Artifact]] = {
        "": ARTIFACTS,
        f"{matrix.results}/tables": registry.TABLES,
        f"{matrix.results}/figures": registry.FIGURES,
    }
    artifact = file.partition(".")[0] if folder else file
    if artifact in known.get(folder, ()):
        return {artifact: ARTIFACTS[artifact].cells(matrix)}
    if folder == f"{matrix.results}/training" and file in (ALL, *matrix.config.experiments):
        return {target: trained_cells(matrix, file)}
    experiment = target.removeprefix("cells_")
    if experiment in matrix.config.experiments:
        return {f"cells_{experiment}": matrix.cells(experiment)}
    if not folder:
        experiments = groups["all_cells"]
        raise PlanError(
            f"{target!r} is no target{suggestion(target, [*groups, *ARTIFACTS, *experiments])}; "
            f"allowed are {', '.join(groups)}, an artifact ({', '.join(ARTIFACTS)}), an "
            f"experiment's cells ({', '.join(experiments)}) or the path of a cell below "
            f"{matrix.results}/cells"
        )
    try:
        _, cell = split_cell_path(target)
    except ValueError as error:
        below = matrix.results
        raise PlanError(f"{error}; artifacts are {below}/tables/… and {below}/figures/…") from None
    return {matrix.file(cell): [cell]}


def suggestion(word: str, known: Iterable[str]) -> str:
    """The words that an unknown one is close to, as a question; empty if there are none."""
    near = get_close_matches(word, list(known), n=3)
    return f" (did you mean {' or '.join(near)}?)" if near else ""

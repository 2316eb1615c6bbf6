"""Targets by the names that Snakemake knows them by, and by files."""

from __future__ import annotations

import pytest

from workflow.plan.project import PlanError, Project
from workflow.plan.targets import parts_of


@pytest.mark.parametrize(
    ("target", "meant"), [("tabel3", "table3"), ("cells_finetunig", "cells_finetuning")]
)
def test_an_unknown_target_names_what_may_have_been_meant(
    project: Project, target: str, meant: str
) -> None:
    with pytest.raises(PlanError, match=f"'{target}' is no target.*did you mean.*{meant}.*allowed"):
        parts_of([target], project.matrix)


def test_one_target_is_shown_by_its_parts_and_several_by_their_names(project: Project) -> None:
    single = parts_of(["all_figures"], project.matrix)
    assert {"fig1", "fig7"} < set(single)
    named = parts_of(["fig7", "all_figures"], project.matrix)
    assert list(named) == ["fig7", "all_figures"]
    assert set(named["all_figures"]) == {cell for cells in single.values() for cell in cells}


def test_targets_can_be_files(project: Project) -> None:
    matrix = project.matrix
    assert list(parts_of([f"{matrix.results}/tables/table3.md"], matrix)) == ["table3"]
    (curves,) = parts_of([f"{matrix.results}/training/existence"], matrix).values()
    assert set(curves) == {m for c in matrix.cells("existence") for m in matrix.input_models(c)}
    with pytest.raises(PlanError, match="names no"):
        parts_of(["results/cells/digits/no/such/cell.json"], matrix)

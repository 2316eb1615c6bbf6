"""Targets by the names that Snakemake knows them by, and by files."""

from __future__ import annotations

import pytest

from workflow.plan.project import PlanError, Project
from workflow.plan.targets import parts_of


@pytest.mark.parametrize(
    ("target", "meant"),
    [("tabel3", "table3"), ("cells_finetunig", "cells_finetuning"), ("fig_7", "fig7")],
)
def test_an_unknown_target_names_what_may_have_been_meant(
    project: Project, target: str, meant: str
) -> None:
    with pytest.raises(PlanError, match=f"'{target}' is no target.*did you mean.*{meant}.*allowed"):
        parts_of([target], project.matrix)


def test_targets_can_be_files(project: Project) -> None:
    assert list(parts_of([f"{project.matrix.results}/tables/table3.md"], project.matrix)) == [
        "table3"
    ]
    (curves,) = parts_of([f"{project.matrix.results}/training/existence"], project.matrix).values()
    assert set(curves) == {
        model
        for cell in project.matrix.cells("existence")
        for model in project.matrix.input_models(cell)
    }
    with pytest.raises(PlanError, match="names no"):
        parts_of(["results/cells/digits/no/such/cell.json"], project.matrix)

"""The plan counts the very jobs that Snakemake would run."""

from collections import Counter

import pytest
import yaml

from rst_core.identity import Cell
from tests.conftest import ROOT
from tests.e2e.conftest import Project as Copy
from workflow.plan.needs import kind_label
from workflow.plan.planner import make_plan
from workflow.plan.project import Project

pytestmark = pytest.mark.e2e

#: Rules that make no cell.
_OTHERS = {"all", "data", "table", "figure", "training_curves", "claims", "protocol"}


def _rule(cell: Cell) -> str:
    """The rule that makes a cell: adaptive attacks are attacks, and their rows transfer rows."""
    kind = kind_label(cell).split()[0]
    return {"adaptive": "attack", "adaptive_transfer": "transfer"}.get(kind, kind)


def test_the_plan_of_the_demo_is_snakemakes_and_has_every_kind_of_cell(project: Copy) -> None:
    project.config(yaml.safe_load((ROOT / "demo/matrix.yaml").read_text()))
    planned = project.planned("all", "--profile", "demo")
    jobs = {rule: n for rule, n in planned.items() if rule not in _OTHERS}
    for kind in ("train", "search", "finetune", "attack", "transfer", "features"):
        assert jobs[kind] > 0, kind
    plan = make_plan(Project(project.folder, [project.folder / "tiny.yaml"]), ["all"])
    assert Counter(_rule(job.cell) for job in plan.seconds) == jobs
    assert not (project.folder / "results").exists()

"""The plan counts the very jobs that Snakemake would run."""

from collections import Counter

import pytest
import yaml

from tests.conftest import ROOT
from tests.e2e.conftest import Project as Copy
from workflow.plan.needs import kind_of
from workflow.plan.planner import make_plan
from workflow.plan.project import Project

pytestmark = pytest.mark.e2e

#: Rules that make no cell.
_OTHERS = {"all", "data", "table", "figure", "claims", "protocol"}


def test_the_plan_of_the_demo_is_snakemakes_and_has_every_kind_of_cell(project: Copy) -> None:
    project.config(yaml.safe_load((ROOT / "demo/matrix.yaml").read_text()))
    planned = project.planned("all", "--profile", "demo")
    jobs = {rule: n for rule, n in planned.items() if rule not in _OTHERS}
    for kind in ("train", "search", "finetune", "attack", "transfer", "adaptive", "features"):
        assert jobs[kind] > 0, kind
    plan = make_plan(Project(project.folder, [project.folder / "tiny.yaml"]), ["all"], None)
    assert Counter(kind_of(cell).split()[0] for cell in plan.to_do) == jobs
    assert not (project.folder / "results/cells").exists()

"""The numbers of plans in README and docs are what the command prints."""

from __future__ import annotations

import pytest

from rst_core.vocabulary import Precision
from tests.conftest import ROOT
from tests.readme import planned
from tests.test_config import extended
from workflow.config import read_config
from workflow.matrix import Matrix
from workflow.plan.planner import make_plan
from workflow.plan.project import Project
from workflow.plan.rates import ASSUMED


def test_pages_have_the_plans_of_today() -> None:
    for page, part, printed in planned():
        text = page.read_text(encoding="utf-8")
        shown = text.split(f"<!-- measured: {part} -->\n")[1].split("<!-- end -->")[0]
        assert shown.rstrip() == printed.rstrip(), "run: python -m tests.readme plans"


@pytest.fixture(scope="module")
def weekend(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("weekend")  # without results
    (folder / "config.yaml").write_text((ROOT / "config.yaml").read_text())
    return Project(folder, [ROOT / "configs/weekend.yaml"])


def test_the_weekend_fits_one_a100_at_the_rates_that_are_assumed(weekend: Project) -> None:
    plan = make_plan(weekend, ["all"])
    rates = {plan.rates.of(jobs[0].cell).per_second for jobs in plan.groups.values()}
    assert rates == {1e12 * ASSUMED["A100"][p] for p in (Precision.FLOAT32, Precision.TF32)}
    assert plan.total.seconds < 48 * 3600


def test_the_weekend_is_on_real_cifar_at_full_width_and_all_that_it_says_is_left_out() -> None:
    matrix = Matrix(read_config(extended(ROOT / "configs/weekend.yaml")))
    networks = {cell.model.network for cell in matrix.all_cells()}
    assert {n.dataset for n in networks} == {"cifar10", "cifar100"}
    assert {matrix.network_settings(n).width for n in networks} == {1.0}
    assert {n.seed for n in networks} == {0}
    left_out = {name for name in matrix.config.experiments if not matrix.cells(name)}
    assert left_out == {
        "transfer_seeds", "r2s_stress_seeds", "transferred_svhn",
        "imagenet_dense", "imagenet_resnet50", "imagenet_resnet101",
    }  # fmt: skip

"""Operations a second: stated, measured on finished cells, or assumed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rst_core.identity import Evaluation, TrainingCell, TransferRow
from rst_core.vocabulary import Precision
from tests.conftest import ROOT
from tests.plan.examples import finish, jobs_of, project_in, took
from workflow.plan.planner import make_plan
from workflow.plan.project import Project
from workflow.plan.rates import ASSUMED
from workflow.plan.text import plan_text
from workflow.text import hours


def test_twice_the_stated_rate_is_half_the_time_and_the_plan_says_stated(project: Project) -> None:
    slow, fast = (make_plan(project, ["fig7"], tflops) for tflops in (1.0, 2.0))
    assert slow.total.seconds == pytest.approx(2 * fast.total.seconds)
    text = plan_text(slow, "", [1], 1.0)
    assert "1 TFLOP/s is stated" in text
    assert "ASSUMED" not in text


def test_before_anything_is_finished_the_rate_is_assumed_and_the_plan_says_so(
    project: Project,
) -> None:
    plan = make_plan(project, ["fig7"])
    rates = {kind: plan.rates.of(jobs[0].cell) for (kind, *_), jobs in plan.groups.items()}
    assert rates.pop("search").per_second == 1e12 * ASSUMED["A100"][Precision.TF32]
    assert {rate.per_second for rate in rates.values()} == {
        1e12 * ASSUMED["A100"][Precision.FLOAT32]
    }
    text = plan_text(plan, "", [1], None)
    assert "ASSUMED, not measured" in text
    assert text.count("| ASSUMED |") == len(plan.groups)


@pytest.mark.parametrize("precision", list(Precision))
def test_hours_by_precision_are_those_of_a_config_that_says_it(tmp_path, precision) -> None:
    text = plan_text(make_plan(project_in(tmp_path), ["fig7"]), "", [1], None)
    row = next(line for line in text.splitlines() if "A100: hours" in line)
    delta = tmp_path / "delta.yaml"
    training = {"digits": {"precision": precision.value}}
    delta.write_text(json.dumps({"training": training}))
    plan = make_plan(project_in(tmp_path, deltas=(ROOT / "demo/matrix.yaml", delta)), ["fig7"])
    assert row.split("|")[2 + list(Precision).index(precision)].strip() == hours(plan.total.seconds)


def test_finished_cells_show_the_rate_of_their_kind(project: Project) -> None:
    row, *others = [j.cell for j in jobs_of(project, "fig7") if isinstance(j.cell, TransferRow)]
    finish(project, row, seconds=1234.0, device="a fast card")
    plan = make_plan(project, ["fig7"])
    assert [took(plan)[cell] for cell in others] == pytest.approx([1234.0] * len(others))
    text = plan_text(plan, "", [1], None)
    assert "1 finished" in text
    # Of a machine of which one cell is known nothing is assumed.
    rates = {plan.rates.of(job.cell) for job in plan.jobs if job.cell.path.endswith(".pt")}
    (rate,) = rates
    assert rate.per_second == plan.rates.of(row).per_second
    assert "1 of other kinds" in text
    assert "ASSUMED" not in text
    assert "a fast card" in text
    # A rate that is stated is for another machine: it holds for all.
    assert "1 finished" not in plan_text(make_plan(project, ["fig7"], 3.0), "", [1], 3.0)


def test_a_trainings_metrics_show_its_rate_once_they_are_complete(project: Project) -> None:
    first, other, _ = [j.cell for j in jobs_of(project, "fig7") if isinstance(j.cell, TrainingCell)]
    metrics = finish(project, first, seconds=60.0).parents[1] / "metrics.jsonl"
    assert took(make_plan(project, ["fig7"]))[other] == pytest.approx(60.0)
    # A damaged record shows nothing and hides nothing.
    for incomplete in (metrics.read_text().splitlines()[0] + "\n", "{"):
        metrics.write_text(incomplete)
        assert took(make_plan(project, ["fig7"]))[other] != pytest.approx(60.0)


def test_cells_of_another_network_show_the_rate_until_there_are_closer_ones(
    tmp_path: Path,
) -> None:
    project = project_in(tmp_path, deltas=())
    attacks = [j.cell for j in jobs_of(project, "table3") if isinstance(j.cell, Evaluation)]
    on_cifar10 = [cell for cell in attacks if cell.model.network.dataset == "cifar10"]
    narrow, same, *_ = [c for c in on_cifar10 if c.model.network.name == "resnet18"]
    wide = next(c for c in on_cifar10 if c.model.network.name == "wideresnet32")
    # The made-up networks have the same operations.
    for finished, seconds in ((wide, 100.0), (same, 7.0)):
        finish(project, finished, seconds=seconds)
        assert took(make_plan(project, ["table3"]))[narrow] == pytest.approx(seconds)

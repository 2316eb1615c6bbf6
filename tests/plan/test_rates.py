"""Operations a second: stated, measured on finished cells, or assumed."""

from __future__ import annotations

import json
import re
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
    rates = {group[0]: row.rate.per_second / 1e12 for group, row in plan.rows.items()}
    a100 = ASSUMED["A100"]
    assert rates.pop("search") == a100[Precision.TF32]
    assert set(rates.values()) == {a100[Precision.FLOAT32]}
    text = plan_text(plan, "", [1], None)
    assert "ASSUMED, not measured" in text
    assert text.count("| ASSUMED |") == len(plan.rows)
    together = hours(plan.total.seconds)
    assert re.search(rf"A100: hours of all +\| +\S+ \| +{re.escape(together)} \|", text)


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
    assert {r.rate.basis for g, r in plan.rows.items() if g[0] == "search"} == {"assumed"}
    text = plan_text(plan, "", [1], None)
    assert "1 finished" in text
    assert "a fast card" in text
    # A rate that is stated is for another machine: it holds for all.
    assert "1 finished" not in plan_text(make_plan(project, ["fig7"], 3.0), "", [1], 3.0)


def test_a_trainings_metrics_show_its_rate_once_they_are_complete(project: Project) -> None:
    first, other, _ = [j.cell for j in jobs_of(project, "fig7") if isinstance(j.cell, TrainingCell)]
    metrics = finish(project, first, seconds=60.0).parents[1] / "metrics.jsonl"

    def of_other() -> float:
        plan = make_plan(project, ["fig7"])
        return took(plan)[other]

    assert of_other() == pytest.approx(60.0)
    whole = metrics.read_text()
    metrics.write_text(whole.splitlines()[0] + "\n")
    assert of_other() != pytest.approx(60.0)
    metrics.write_text("{")  # a damaged record shows nothing and hides nothing
    assert of_other() != pytest.approx(60.0)


def test_cells_of_another_network_show_the_rate_until_there_are_closer_ones(
    tmp_path: Path,
) -> None:
    project = project_in(tmp_path, deltas=())
    attacks = [j.cell for j in jobs_of(project, "table3") if isinstance(j.cell, Evaluation)]
    narrow, *more = [c for c in attacks if c.model.network.name == "resnet18"]
    wide = next(
        c
        for c in attacks
        if c.model.network.name == "wideresnet32"
        and c.model.network.dataset == narrow.model.network.dataset
    )
    finish(project, wide, seconds=100.0)

    def of(cell: Evaluation) -> float:
        plan = make_plan(project, ["table3"])
        return took(plan)[cell]

    assert of(narrow) == pytest.approx(100.0)  # the made-up networks have the same operations
    same = next(c for c in more if c.model.network.dataset == narrow.model.network.dataset)
    finish(project, same, seconds=7.0)
    assert of(narrow) == pytest.approx(7.0)

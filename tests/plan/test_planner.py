"""What a target costs: the plan."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import pytest

from rst_core.identity import Cell, Evaluation, Ticket, TrainingCell, TransferRow
from rst_core.vocabulary import Precision
from tests.conftest import ROOT
from tests.plan.examples import finish, jobs_of, project_in
from workflow.cli import main
from workflow.plan.planner import Plan, longest_chain, make_plan
from workflow.plan.project import PlanError, Project
from workflow.plan.rates import ASSUMED
from workflow.plan.targets import parts_of
from workflow.plan.text import plan_text
from workflow.text import duration, hours


def took(plan: Plan) -> dict[Cell, float]:
    """Seconds of every cell that must be made, inputs first."""
    return {job.cell: seconds for job, seconds in plan.seconds.items()}


def test_existing_cells_cost_nothing(project: Project) -> None:
    before = make_plan(project, ["fig1"], 1.0)
    (first, seconds), *_ = took(before).items()
    finish(project, first)
    after = make_plan(project, ["fig1"], 1.0)
    assert first not in took(after)
    assert after.total.cells == before.total.cells
    assert after.total.there == 1
    assert after.total.seconds == pytest.approx(before.total.seconds - seconds)
    for cell in took(before):
        finish(project, cell)
    done = make_plan(project, ["fig1"], 1.0)
    assert done.total.seconds == 0
    assert "Nothing is to do" in plan_text(done, "", [1], 1.0)


def test_beside_shows_a_finished_matrix_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = project_in(tmp_path)
    cells = took(make_plan(project, ["fig7"], 1.0))
    for cell in cells:
        finish(project, cell)
    monkeypatch.setattr("workflow.plan.project.Project", lambda root, files: project)
    assert main(["plan", "fig7", "--tflops", "1", "--beside", "any.yaml"]) == 0
    assert f"| {len(cells)} |" in " ".join(capsys.readouterr().out.split())


def test_what_lies_under_an_existing_file_is_not_to_do(project: Project) -> None:
    measured = parts_of(["fig7"], project.matrix)["fig7"]
    for cell in measured:
        finish(project, cell)
    plan = make_plan(project, ["fig7"])
    assert not plan.seconds
    assert plan.total.cells > len(measured)


def test_additions_add_up_to_the_whole_in_any_order(project: Project) -> None:
    targets = ["table3", "fig1", "fig7", "cells_rtts"]
    whole = make_plan(project, targets).total
    for order in itertools.permutations(targets):
        plan = make_plan(project, order)
        names, _, added = zip(*plan.additions(), strict=True)
        assert names == order
        seconds = [plan.seconds[job] for jobs in added for job in jobs]
        assert sum(seconds) == pytest.approx(whole.seconds)
        assert len(seconds) == whole.to_do


def test_one_target_is_shown_by_its_parts_and_several_by_their_names(project: Project) -> None:
    single = parts_of(["all_figures"], project.matrix)
    assert {"fig1", "fig7"} < set(single)
    named = parts_of(["fig7", "all_figures"], project.matrix)
    assert list(named) == ["fig7", "all_figures"]
    assert set(named["all_figures"]) == {cell for cells in single.values() for cell in cells}


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


def test_wall_time_is_the_longest_chain_or_the_share_of_a_device(project: Project) -> None:
    plan = make_plan(project, ["all"])
    total, chain = sum(plan.seconds.values()), longest_chain(plan.seconds)
    longest = sum(plan.seconds[job] for job in chain)
    assert plan.wall_seconds(1) == pytest.approx(total)
    assert plan.wall_seconds(10_000) == pytest.approx(longest)
    for before, after in itertools.pairwise(chain):
        assert before in after.inputs
    for job in plan.seconds:
        assert longest >= plan.seconds[job] + sum(plan.seconds[one] for one in job.inputs[:1])
    text = plan_text(plan, "", [10_000], None)
    assert f"at least {duration(longest)}, which is the longest chain (" in text


def test_every_kind_of_cell_is_counted_once(project: Project) -> None:
    plan = make_plan(project, ["all"])
    assert plan.total.cells == len(jobs_of(project, "all")) == plan.total.to_do
    assert all(row.seconds > 0 for row in plan.rows.values())
    kinds = {kind for kind, _, _ in plan.rows}
    assert {"search", "train", "finetune", "features", "adaptive eot_pgd20"} <= kinds


def test_one_run_makes_all_selections(project: Project) -> None:
    path = next(j.cell.path for j in jobs_of(project, "fig1") if isinstance(j.cell.model, Ticket))
    other = path.replace("best_val", "last")
    assert make_plan(project, [path, other]).total.to_do == 1
    with pytest.raises(PlanError, match="best_test; allowed is one of keep_selections"):
        make_plan(project, [path.replace("best_val", "best_test")])


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
        for model in project.matrix.made_of(cell)
    }
    with pytest.raises(PlanError, match="names no"):
        parts_of(["results/cells/digits/no/such/cell.json"], project.matrix)


def test_stand_ins_are_named(project: Project) -> None:
    text = plan_text(make_plan(project, ["fig7"]), "", [1], None)
    assert "digits stands in for CIFAR-10" in text

"""What a target costs: the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from rst_core.identity import Ticket
from tests.plan.examples import finish, jobs_of, project_in, took
from workflow.cli import main
from workflow.plan.needs import Job
from workflow.plan.planner import make_plan
from workflow.plan.project import PlanError, Project
from workflow.plan.targets import parts_of
from workflow.plan.text import plan_text
from workflow.text import duration


def test_existing_cells_cost_nothing(project: Project) -> None:
    before = make_plan(project, ["fig1"], 1.0)
    (first, seconds), *_ = took(before).items()
    finish(project, first)
    after = make_plan(project, ["fig1"], 1.0)
    assert first not in took(after)
    assert after.total.cells == before.total.cells
    assert after.total.exist == 1
    assert after.total.seconds == pytest.approx(before.total.seconds - seconds)
    for cell in took(before):
        finish(project, cell)
    done = make_plan(project, ["fig1"], 1.0)
    assert done.total.seconds == 0
    assert "Nothing to do" in plan_text(done, "", [1], 1.0)


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
    unasked = plan.total.cells - len(measured)
    assert f"{unasked} cells are missing and not needed" in plan_text(plan, "", [1], None)


def test_additions_add_up_to_the_whole_in_any_order(project: Project) -> None:
    targets = ["table3", "fig1", "fig7", "cells_rtts"]
    whole = make_plan(project, targets).total
    for order in (targets, targets[::-1]):
        plan = make_plan(project, order)
        names, _, added = zip(*plan.additions(), strict=True)
        assert list(names) == order
        seconds = [plan.seconds[job] for jobs in added for job in jobs]
        assert sum(seconds) == pytest.approx(whole.seconds)
        assert len(seconds) == whole.to_do


def test_wall_time_is_the_longest_chain_or_the_share_of_a_device(project: Project) -> None:
    plan = make_plan(project, ["all"])
    seconds = plan.seconds
    assert plan.wall_seconds(1) == pytest.approx(sum(seconds.values()))
    longest = plan.wall_seconds(10_000)

    def until(job: Job) -> float:
        return seconds[job] + max(map(until, job.inputs), default=0.0)

    assert longest == pytest.approx(max(map(until, seconds)))
    text = plan_text(plan, "", [10_000], None)
    assert f"With 10000 devices: at least {duration(longest)}." in text


def test_every_kind_of_cell_is_counted_once(project: Project) -> None:
    plan = make_plan(project, ["all"])
    assert plan.total.cells == len(jobs_of(project, "all")) == plan.total.to_do
    assert all(plan.row(jobs).seconds > 0 for jobs in plan.groups.values())
    kinds = {kind for kind, _, _ in plan.groups}
    assert {"search", "train", "finetune", "features", "adaptive eot_pgd20"} <= kinds


def test_one_run_makes_all_selections(project: Project) -> None:
    path = next(j.cell.path for j in jobs_of(project, "fig1") if isinstance(j.cell.model, Ticket))
    other = path.replace("best_val", "last")
    assert make_plan(project, [path, other]).total.to_do == 1
    with pytest.raises(PlanError, match="best_test; allowed is one of keep_selections"):
        make_plan(project, [path.replace("best_val", "best_test")])


def test_stand_ins_are_named(project: Project) -> None:
    text = plan_text(make_plan(project, ["fig7"]), "", [1], None)
    assert "digits stands in for CIFAR-10" in text

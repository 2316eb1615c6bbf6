"""What a target costs: the plan."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rst_core.spec import Ticket
from tests.plan.examples import finish, jobs_of, made_up
from workflow.plan.calibration import (
    PlanError,
)
from workflow.plan.needs import parts_of
from workflow.plan.planner import Plan, make_plan
from workflow.plan.project import Project
from workflow.plan.schedule import longest_chain, wall_seconds
from workflow.plan.text import AXES, plan_text


def _plan(project: Project, *targets: str) -> Plan:
    return make_plan(project, targets, made_up(project))


def test_existing_cells_cost_nothing(project: Project) -> None:
    before = _plan(project, "fig1")
    first = before.to_do[0]
    finish(project, first)
    after = _plan(project, "fig1")
    assert first not in after.to_do
    assert after.total.cells == before.total.cells
    assert after.total.there == 1
    assert after.total.seconds == pytest.approx(before.total.seconds - before.seconds[0])
    for cell in before.to_do:
        finish(project, cell)
    assert _plan(project, "fig1").total.seconds == 0
    assert "Nothing is to do" in plan_text(_plan(project, "fig1"), "", [1], AXES)


def test_what_lies_under_an_existing_file_is_not_to_do(project: Project) -> None:
    measured = parts_of(["fig7"], project.matrix)[0].cells
    for cell in measured:
        finish(project, cell)
    plan = _plan(project, "fig7")
    assert not plan.to_do
    assert plan.total.cells > len(measured)


def test_additions_add_up_to_the_whole_in_any_order(project: Project) -> None:
    targets = ["table3", "fig1", "fig7", "cells_rtts"]
    whole = _plan(project, *targets)
    for order in itertools.permutations(targets):
        plan = _plan(project, *order)
        adds = sum(sum(part.seconds.values()) for part in plan.additions)
        assert adds == pytest.approx(plan.total.seconds) == pytest.approx(whole.total.seconds)
        assert sum(part.adds for part in plan.additions) == whole.total.to_do
        assert sum(part.bytes for part in plan.additions) == pytest.approx(whole.total.bytes)
    totals = [_plan(project, *targets[:n]).total for n in range(1, len(targets) + 1)]
    assert all(a.seconds <= b.seconds and a.cells <= b.cells for a, b in itertools.pairwise(totals))


def test_wall_time_is_bounded_by_chain_and_share(project: Project) -> None:
    plan = _plan(project, "all")
    total, chain = sum(plan.seconds), plan.chain()
    longest = sum(plan.seconds[i] for i in chain)
    assert plan.wall(1) == pytest.approx(total)
    for devices in (2, 3, 16, 10_000):
        assert plan.wall(devices) >= max(longest, total / devices) - 1e-6
        assert plan.wall(devices) <= total / devices + longest
    assert plan.wall(10_000) == pytest.approx(longest)
    for before, after in itertools.pairwise(chain):
        assert before in plan.inputs[after]


@given(st.lists(st.tuples(st.floats(0.1, 10), st.sets(st.integers(0, 11))), max_size=12))
def test_a_schedule_respects_inputs_and_devices(jobs: list[tuple[float, set[int]]]) -> None:
    seconds = [s for s, _ in jobs]
    inputs = [sorted(i for i in under if i < number) for number, (_, under) in enumerate(jobs)]
    longest = sum(seconds[i] for i in longest_chain(seconds, inputs))
    for devices in (1, 2, 5):
        wall = wall_seconds(seconds, inputs, devices)
        assert wall >= max(longest, sum(seconds) / devices) - 1e-6
        assert wall <= sum(seconds) + 1e-6


def test_a_schedule_done_by_hand() -> None:
    # A chain of three and three single ones on two devices: the chain goes first.
    assert wall_seconds([1, 1, 1, 1, 1, 1], [[], [], [], [], [3], [4]], 2) == 3


def test_every_kind_network_and_dataset_is_counted_once(project: Project) -> None:
    plan = _plan(project, "all")
    assert plan.total.cells == len(jobs_of(project, "all")) == plan.total.to_do
    assert all(row.seconds > 0 for row in plan.rows.values())
    kinds = {kind for kind, _, _ in plan.rows}
    assert {"search", "train", "finetune", "features", "adaptive eot_pgd20"} <= kinds


def test_one_run_makes_all_selections(project: Project) -> None:
    path = next(j.cell.path for j in jobs_of(project, "fig1") if isinstance(j.cell.model, Ticket))
    other = path.replace("best_val", "last")
    assert _plan(project, path, other).total.to_do == 1
    with pytest.raises(PlanError, match="best_test; allowed is one of keep_selections"):
        _plan(project, path.replace("best_val", "best_test"))


@pytest.mark.parametrize(
    ("target", "meant"),
    [("tabel3", "table3"), ("cells_finetunig", "cells_finetuning"), ("fig_7", "fig7")],
)
def test_an_unknown_target_is_told_what_was_meant(
    project: Project, target: str, meant: str
) -> None:
    with pytest.raises(PlanError, match=f"'{target}' is no target.*perhaps.*{meant}.*allowed are"):
        parts_of([target], project.matrix)


def test_targets_can_be_files(project: Project) -> None:
    parts = parts_of(
        ["results/tables/table3.md", "table3", "results/figures/fig7.pdf"], project.matrix
    )
    assert [part.name for part in parts] == ["table3", "fig7"]
    with pytest.raises(PlanError, match="names no"):
        parts_of(["results/cells/digits/no/such/cell.json"], project.matrix)


def test_without_a_calibration_cells_are_counted(project: Project) -> None:
    text = plan_text(make_plan(project, ["fig7"], None), "Plan", [1], AXES)
    assert "rst calibrate" in text
    assert "hours" not in text.replace("No hours", "")


def test_what_is_not_calibrated_is_said_and_counted(project: Project) -> None:
    calibration = made_up(project)
    less = calibration.model_copy(update={"networks": calibration.networks[1:]})
    plan = make_plan(project, ["all"], less)
    assert 0 < sum(plan.uncalibrated.values()) < plan.total.to_do
    assert "is not calibrated" in plan_text(plan, "", [1], AXES)


def test_the_margin_is_a_factor_and_is_stated(project: Project) -> None:
    plain = make_plan(project, ["fig7"], made_up(project), margin=1.0)
    wide = make_plan(project, ["fig7"], made_up(project), margin=1.5)
    assert wide.total.seconds == pytest.approx(1.5 * plain.total.seconds)
    assert "margin of 50%" in plan_text(wide, "", [1], AXES)


def test_stand_ins_are_named(project: Project) -> None:
    assert "digits stands in for CIFAR-10" in plan_text(_plan(project, "fig7"), "", [1], AXES)


def test_markdown_holds_the_same_numbers(project: Project) -> None:
    plan = _plan(project, "fig7")
    text = plan_text(plan, "", [1], ["kind"], markdown=True)
    assert "| kind | cells | exist | to do | GPU hours |" in text
    with pytest.raises(PlanError, match="allowed are kind, network, dataset"):
        plan_text(plan, "", [1], ["colour"])

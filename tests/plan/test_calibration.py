"""What is known of a device, and whether it was right."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rst_core.settings import NetworkSettings
from rst_core.spec import Cell, TrainingCell, TransferRow
from rst_core.vocabulary import Architecture, Precision
from tests.conftest import ROOT
from tests.plan.examples import finish, jobs_of, line, made_up
from workflow.plan.assume import assume, flops
from workflow.plan.calibration import (
    Calibration,
    NotCalibratedError,
    PlanError,
    read_calibration,
    write_calibration,
)
from workflow.plan.check import PART, Comparison, compare, outside
from workflow.plan.planner import Plan, make_plan
from workflow.plan.project import Project
from workflow.plan.text import AXES, plan_text
from workflow.plan.wanted import Wanted, WantedNetwork, wanted


def _plan(project: Project, *targets: str) -> Plan:
    return make_plan(project, targets, made_up(project))


def test_an_assumed_calibration_says_so_wherever_it_is_used(project: Project) -> None:
    want = wanted(project.matrix, [job.cell for job in jobs_of(project, "fig7")])
    slow, fast = assume(want, 0.01), assume(want, 1000)
    text = plan_text(make_plan(project, ["fig7"], slow), "", [1], AXES)
    assert "ASSUMED, NOT MEASURED" in text
    assert "GPU hours (assumed)" in text
    hours = [make_plan(project, ["fig7"], one).total.seconds for one in (slow, fast)]
    assert hours[0] > hours[1]
    with pytest.raises(ValueError, match="allowed is a positive rate"):
        assume(want, 0)


def test_operations_of_a_known_network() -> None:
    build = NetworkSettings(architecture=Architecture.PREACT_RESNET18)
    count = flops(WantedNetwork(build, 32, 10))
    assert count.forward == pytest.approx(2 * 0.556e9, rel=0.01)  # two a multiply-add
    assert count.gradient == pytest.approx(2 * count.forward, rel=0.01)
    assert count.update == pytest.approx(3 * count.forward, rel=0.01)


def test_a_tiny_calibration_prices_a_tiny_matrix(project: Project) -> None:
    from workflow.plan.measure import calibrate

    cells = [job.cell for job in jobs_of(project, "fig7", "cells_attacks")]
    want = wanted(project.matrix, cells)
    want = Wanted(want.networks, want.attacks, want.datasets, batch=4)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        found = calibrate(want, limit=0.001)
    finally:
        torch.set_num_threads(threads)
    path = project.root / "calibration.json"
    write_calibration(path, found)
    assert read_calibration(path) == found
    assert not found.assumed
    assert found.start > 0
    assert found.data.keys() == {"digits"}
    plan = make_plan(project, ["fig7", "cells_attacks"], found)
    assert not plan.uncalibrated
    assert all(seconds > 0 for seconds in plan.seconds)
    cell = plan.to_do[-1]
    finish(project, cell, seconds=7.0)
    (one,) = compare(project, ["fig7", "cells_attacks"], found)
    assert (one.cell, one.measured) == (cell, 7.0)
    assert one.factor == pytest.approx(7.0 / one.predicted)


def test_a_calibration_of_something_else_promises_no_time(
    project: Project, calibration: Calibration
) -> None:
    other = calibration.model_copy(update={"networks": []})
    text = plan_text(make_plan(project, ["fig7"], other), "", [1, 8], AXES)
    assert "the calibration knows none of these cells" in text
    assert "With 8 GPUs" not in text
    assert "With 8 GPUs" in plan_text(make_plan(project, ["fig7"], calibration), "", [1, 8], AXES)


def _took(cell: Cell, predicted: float, measured: float) -> Comparison:
    return Comparison(cell, predicted, measured, "made up")


def test_the_whole_and_long_kinds_are_held_to_a_factor_and_short_kinds_are_not(
    project: Project,
) -> None:
    jobs = jobs_of(project, "fig7")
    search = next(j.cell for j in jobs if isinstance(j.cell, TrainingCell))
    row = next(j.cell for j in jobs if isinstance(j.cell, TransferRow))
    assert outside([_took(search, 100, 140), _took(row, 1, 5)], 1.5) == []
    (said,) = outside([_took(search, 1000, 1000), _took(row, 100, 160)], 1.5)
    assert said == "transfer pgd20 took 1.60 times what was predicted"
    (said,) = outside([_took(search, 1, 0.5)], 1.5)
    assert said == "everything took 0.50 times what was predicted"
    with pytest.raises(PlanError, match="no finished cell has a time"):
        outside([], 1.5)


def test_the_docs_have_a_place_for_the_comparison() -> None:
    assert f"<!-- measured: {PART} -->" in (ROOT / "docs/plan.md").read_text()


def test_a_damaged_calibration_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    with pytest.raises(PlanError, match="does not exist; 'rst calibrate' makes it"):
        read_calibration(path)
    path.write_text("{")
    with pytest.raises(PlanError, match="is no calibration"):
        read_calibration(path)


def test_a_missing_training_setting_is_named(calibration: Calibration) -> None:
    with pytest.raises(NotCalibratedError, match="batches of 7 in bfloat16"):
        calibration.networks[0].trained(7, Precision.BFLOAT16)
    assert line(1.0).seconds(3) == pytest.approx(3.0)

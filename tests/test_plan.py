"""What a target costs: counts of calls, and the plan made of them."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rst_core import cli, suspicion
from rst_core.attacks import run_attack
from rst_core.settings import AttackSpec, NetworkSettings
from rst_core.spec import Cell, Ticket, TrainingCell, TransferRow
from rst_core.vocabulary import Architecture, AttackMethod, Norm, Precision
from tests.plan_examples import ROOT, finish, jobs_of, line, made_up, project_in
from workflow.plan import cli as plan_cli
from workflow.plan.assume import assume, flops
from workflow.plan.calibration import (
    Calibration,
    Curve,
    NotCalibratedError,
    PlanError,
    read_calibration,
    write_calibration,
)
from workflow.plan.check import PART, Comparison, compare, outside
from workflow.plan.cost import (
    ADVERTORCH,
    CHECK_STEPS,
    CHECKED_IMAGES,
    RECOMPUTING,
    CostModel,
    attack_calls,
)
from workflow.plan.needs import parts_of
from workflow.plan.planner import Plan, make_plan
from workflow.plan.project import Project
from workflow.plan.schedule import longest_chain, wall_seconds
from workflow.plan.text import AXES, plan_text
from workflow.plan.wanted import Wanted, WantedNetwork, wanted


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return project_in(tmp_path)


@pytest.fixture
def calibration(project: Project) -> Calibration:
    return made_up(project)


def _plan(project: Project, *targets: str) -> Plan:
    return make_plan(project, targets, made_up(project))


# -- numbers of calls ------------------------------------------------------------------


class _Counting:
    """A model of ten classes that counts what is asked of it, an image at a time."""

    def __init__(self) -> None:
        self.forward = self.gradient = 0
        self.weights = 5 * torch.randn(3, 10, generator=torch.Generator().manual_seed(0))

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() and images.requires_grad:
            self.gradient += len(images)
        else:
            self.forward += len(images)
        return images.mean((2, 3)) @ self.weights


def _spec(method: AttackMethod, **values: object) -> AttackSpec:
    common: dict[str, object] = {"name": "a", "method": method, "norm": Norm.LINF, "eps": 0.01}
    return AttackSpec(**common | values)  # type: ignore[arg-type]


_CW_L2 = {"norm": Norm.L2, "eps": None, "learning_rate": 1e-3, "search_steps": 2, "constant": 1e-3}
_BANDITS = {"step_size": 0.1, "learning_rate": 100, "probe": 0.1, "exploration": 1, "tiles": 2}


@pytest.mark.parametrize(
    ("spec", "exact"),
    [
        (_spec(AttackMethod.PGD, steps=7, step_size=0.1), True),
        (_spec(AttackMethod.PGD, steps=5, step_size=0.1, restarts=3), True),
        (_spec(AttackMethod.CW_INF, steps=9, step_size=0.1), True),
        # AdverTorch gives up where a tenth of the iterations brings nothing.
        (_spec(AttackMethod.CW_L2, steps=20, **_CW_L2), False),
        (_spec(AttackMethod.BANDITS, steps=6, **_BANDITS), True),
        (_spec(AttackMethod.AUTO_ATTACK), True),
        (_spec(AttackMethod.AUTO_ATTACK_RAND), True),
    ],
    ids=lambda value: value.method.value if isinstance(value, AttackSpec) else "",
)
def test_the_attacks_make_the_calls_that_are_counted(spec: AttackSpec, exact: bool) -> None:
    model, count = _Counting(), 2
    images = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    labels = model(images).argmax(1)  # with so small an eps every image stands
    model.forward = model.gradient = 0
    run_attack(model, images, labels, spec, torch.Generator().manual_seed(2))
    calls = attack_calls(spec)
    forward, gradient = calls.forward * calls.images, calls.gradient
    assert model.gradient / count <= gradient
    assert model.forward / count <= forward + 1
    if exact:
        assert model.gradient / count == gradient
        assert model.forward / count == pytest.approx(forward, abs=1)


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=4), st.integers(1, 5000))
def test_a_curve_passes_through_its_points_and_never_falls_after_the_last(
    seconds: list[float], images: int
) -> None:
    curve = Curve(points=[(8**i, s) for i, s in enumerate(sorted(seconds))])
    for number, value in curve.points:
        assert curve.seconds(number) == pytest.approx(value)
    assert curve.seconds(images + 1) >= curve.seconds(images) - 1e-9
    assert curve.seconds(0) == 0


def test_a_search_done_by_hand(project: Project, calibration: Calibration) -> None:
    cell = next(j.cell for j in jobs_of(project, "fig7") if isinstance(j.cell, TrainingCell))
    training = project.matrix.training_settings("digits")
    # 1,237 digits are 19 batches of 64; PGD-7 inside; 200 validation images.
    assert training.batch_size == 64
    step = 64 * 0.005 + 0.1 + 7 * 64 * 0.004
    validation = 200 * 0.001 + training.validation_steps * 200 * 0.003 + 200 * 0.001
    cost = CostModel(project.matrix, calibration, project.images).cost(cell)
    assert cost.start == 3.0
    assert cost.work == pytest.approx(1.0 + training.epochs * (19 * step + validation))


def test_a_transfer_row_done_by_hand(project: Project, calibration: Calibration) -> None:
    cell = next(j.cell for j in jobs_of(project, "fig7") if isinstance(j.cell, TransferRow))
    # 360 images, of which a quarter stands after the first of 20 steps; three tickets to
    # build, and each looks at adversarial and at clean images.
    attack = (1 + 19 / 4) * 360 * 0.003
    # The checks look at 100 of them thrice and take two steps; then one stands.
    checks = 3 * 100 * 0.001 + (2 * 100 + 19) * 0.003
    model = CostModel(project.matrix, calibration, project.images, lambda _: 0.25)
    assert model.cost(cell).work == pytest.approx(3 * 1.0 + attack + 3 * 2 * 360 * 0.001 + checks)


def test_an_adaptive_attack_done_by_hand(project: Project, calibration: Calibration) -> None:
    jobs = jobs_of(project, "cells_r2s_adaptive")
    cell = next(j.cell for j in jobs if "eot_pgd20" in j.cell.path)
    # Three members, each of which is attacked with all steps, however few images stand, and
    # computed once more for every gradient; the checks take all steps, too.
    each = 1.0 + 20 * 360 * (0.003 + 0.001) + 2 * 360 * 0.001
    each += 3 * 100 * 0.001 + 21 * 100 * (0.003 + 0.001)
    model = CostModel(project.matrix, calibration, project.images, lambda _: 0.25)
    assert model.cost(cell).work == pytest.approx(3 * each)


def test_the_checks_are_those_that_attacks_make() -> None:
    assert (suspicion.IMAGES, suspicion.LARGE.steps) == (CHECKED_IMAGES, CHECK_STEPS)


@pytest.mark.parametrize(
    ("library", "target", "pays"),
    [
        (ADVERTORCH, "cells_attacks", lambda path: "/cw_" in path),
        (RECOMPUTING, "cells_r2s_stress", lambda path: "/r2s_" in path),
    ],
)
def test_who_uses_a_library_pays_for_its_import(
    project: Project,
    calibration: Calibration,
    library: str,
    target: str,
    pays: Callable[[str], bool],
) -> None:
    dear = calibration.model_copy(update={"libraries": {library: 5.0}})
    free, paid = (CostModel(project.matrix, c, project.images) for c in (calibration, dear))
    found = set()
    for job in jobs_of(project, target):
        more = paid.cost(job.cell).work - free.cost(job.cell).work
        assert more == pytest.approx(5.0 if pays(job.cell.path) else 0.0)
        found.add(pays(job.cell.path))
    assert found == {True, False}


def test_more_epochs_cost_proportionally_more(project: Project, calibration: Calibration) -> None:
    cell = jobs_of(project, "fig1")[0].cell
    assert isinstance(cell, TrainingCell)
    dataset = cell.model.network.dataset
    config = project.matrix.config
    name = config.datasets[dataset].training
    works = []
    for factor in (1, 2, 5):
        settings = replace(config.training[name], epochs=factor * config.training[name].epochs)
        longer = config.model_copy(update={"training": {**config.training, name: settings}})
        model = CostModel(type(project.matrix)(longer), calibration, project.images)
        works.append(model.cost(cell).work - calibration.networks[0].build)
    assert works == pytest.approx([works[0], 2 * works[0], 5 * works[0]])


def test_fewer_standing_images_cost_less_and_only_where_attacks_leave_the_fallen(
    project: Project, calibration: Calibration
) -> None:
    def seconds(name: str, standing: float) -> float:
        cells = [j.cell for j in jobs_of(project, "all") if f"/{name}-eps" in j.cell.path]
        share = CostModel(project.matrix, calibration, project.images, lambda _: standing)
        return share.cost(cells[0]).work

    assert seconds("pgd20", 0.3) < seconds("pgd20", 1.0)
    assert seconds("auto_attack", 0.3) < seconds("auto_attack", 1.0)
    assert seconds("eot_pgd20", 0.3) == seconds("eot_pgd20", 1.0)


# -- the plan --------------------------------------------------------------------------


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


# -- calibrations ----------------------------------------------------------------------


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


# -- the commands ----------------------------------------------------------------------


@pytest.fixture
def announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that announces two commands."""
    folder = tmp_path / "site" / "announced-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: announced\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(
        "[rst.commands]\nhello = some_folder.module:hello\nneedy = some_folder.needy:needy\n"
    )
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_command_of_another_package_is_found_in_the_current_folder(
    announced: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert cli.main(["hello", "you"]) == 1
    assert "no folder 'some_folder' here; run it in the root" in capsys.readouterr().err
    package = announced / "some_folder"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "module.py").write_text("def hello(words):\n    print(*words)\n    return 5\n")
    (package / "needy.py").write_text("import a_package_that_nobody_has\n")
    assert cli.main(["hello", "you", "there"]) == 5
    assert capsys.readouterr().out == "you there\n"
    assert cli.main(["needy"]) == 1
    assert "needs a_package_that_nobody_has, which is not installed" in capsys.readouterr().err


def test_the_commands_are_announced() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for name in ("plan", "status", "calibrate"):
        assert f'{name} = "workflow.plan.cli:{name}"' in text
        assert callable(getattr(plan_cli, name))


def test_failures_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert plan_cli.plan(["fig7"]) == 1
    assert "run this in the root of the repository" in capsys.readouterr().err
    monkeypatch.chdir(ROOT)
    assert plan_cli.plan(["fig77"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert plan_cli.plan(["fig7", "--calibration", str(tmp_path / "none.json")]) == 1
    assert "'rst calibrate' makes it" in capsys.readouterr().err


def test_planning_and_looking_need_no_torch(project: Project) -> None:
    write_calibration(project.root / "c.json", made_up(project))
    program = (
        "import sys; from workflow.plan.cli import plan, status; "
        "words = ['--configfile', sys.argv[1], '--calibration', 'c.json', 'all']; "
        "assert plan(words) == 0 and status(words) == 0; "
        "bad = {'torch', 'pandas', 'snakemake'} & set(sys.modules); assert not bad, bad"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(ROOT / "demo/matrix.yaml")],
        cwd=project.root, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nothing was started" in done.stdout
    found = [p.name for p in project.root.iterdir()]
    assert sorted(found) == ["c.json", "config.yaml"]
    json.loads((project.root / "c.json").read_text())

"""What a cell costs: counts of calls, and curves made of measured points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rst_core import suspicion
from rst_core.attacks import run_attack
from rst_core.settings import AttackSpec
from rst_core.spec import TrainingCell, TransferRow
from rst_core.vocabulary import AttackMethod, Norm
from tests.plan.examples import jobs_of
from workflow.plan.calibration import (
    Calibration,
    Curve,
)
from workflow.plan.cost import (
    ADVERTORCH,
    CHECK_STEPS,
    CHECKED_IMAGES,
    RECOMPUTING,
    CostModel,
    attack_calls,
)
from workflow.plan.project import Project


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

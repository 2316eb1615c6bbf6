"""What a cell costs: numbers of passes, and operations of each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rst_core.attacks import run_attack
from rst_core.identity import (
    CandidateSet,
    Cell,
    Dense,
    FeatureDistance,
    TrainingCell,
    TransferRow,
    Untrained,
)
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Norm
from tests.conftest import ROOT
from tests.plan.examples import ONE, jobs_of
from workflow.plan.cost import CostModel, passes
from workflow.plan.operations import Counter
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
    "spec",
    [
        _spec(AttackMethod.PGD, steps=7, step_size=0.1),
        _spec(AttackMethod.PGD, steps=5, step_size=0.1, restarts=3, random_start=True),
        _spec(AttackMethod.CW_INF, steps=9, step_size=0.1),
        _spec(AttackMethod.CW_L2, steps=20, **_CW_L2),
        _spec(AttackMethod.BANDITS, steps=6, **_BANDITS),
        _spec(AttackMethod.AUTO_ATTACK),
        _spec(AttackMethod.AUTO_ATTACK_RAND),
    ],
    ids=lambda spec: spec.method.value,
)
def test_the_attacks_make_the_passes_that_are_counted(spec: AttackSpec) -> None:
    model, images = _Counting(), torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    labels = model(images).argmax(1)  # with so small an eps every image stands
    model.forward = model.gradient = 0
    run_attack(model, images, labels, spec, torch.Generator().manual_seed(2))
    found = passes(spec)
    assert model.gradient / 2 <= found.gradient
    # A pass or two a run, which finds out who stands, is not counted.
    assert found.forward - 1 <= model.forward / 2 <= found.forward + 1 + spec.restarts
    if spec.method is not AttackMethod.CW_L2:  # AdverTorch gives up when nothing improves
        assert model.gradient / 2 == found.gradient


@pytest.mark.parametrize(
    ("declared", "steps"),
    [
        ({"steps": 30, "restarts": 2, "search_steps": None, "colour": "blue"}, 60),
        ({"temperature": 2.0}, 1),
    ],
)
def test_an_attack_costs_its_method_s_passes_for_each_declared_step(
    declared: dict[str, object], steps: int
) -> None:
    method = SimpleNamespace(gradients=2, forwards=3)
    new = SimpleNamespace(method=method, described=lambda: declared)
    assert passes(new) == (2 * steps, 3 * steps)  # type: ignore[arg-type]


@pytest.mark.parametrize("configs", [[], [ROOT / "demo/matrix.yaml"]], ids=["paper", "demo"])
def test_every_cell_of_a_matrix_has_a_finite_positive_cost(
    configs: list[Path], tmp_path: Path
) -> None:
    project = Project(ROOT, configs)
    project.count = Counter(tmp_path / "operations.json")
    cost = CostModel(project)
    cells = [job.cell for job in jobs_of(project, "all")]
    assert len(cells) > 100
    for cell in cells:
        found = cost(cell)
        assert 0 < found.operations < math.inf, cell.path
        assert 0 < found.bytes < math.inf, cell.path


def _first(project: Project, target: str, wanted: Callable[[Cell], bool]) -> Cell:
    return next(job.cell for job in jobs_of(project, target) if wanted(job.cell))


def test_a_search_done_by_hand(project: Project) -> None:
    cell = _first(project, "fig7", lambda c: isinstance(c, TrainingCell))
    training = project.matrix.training_settings("digits")
    # 1,237 digits and 200 for validation; PGD-7 inside.
    epoch = 1237 * (3e9 + 7 * 2e9) + 200 * (1e9 + training.validation_steps * 2e9 + 1e9)
    cost = CostModel(project)(cell)
    assert cost.operations == pytest.approx(training.epochs * epoch)
    assert cost.bytes == 2 * ONE.weights / 8  # two selections are kept


def test_a_transfer_row_done_by_hand(project: Project) -> None:
    cell = _first(project, "fig7", lambda c: isinstance(c, TransferRow))
    # 20 steps; three tickets look at 360 adversarial and 360 clean images.
    assert CostModel(project)(cell).operations == pytest.approx(360 * (20 * 2e9 + 3 * 2 * 1e9))


def test_an_attack_on_a_set_done_by_hand(project: Project) -> None:
    cell = _first(project, "cells_r2s_adaptive", lambda c: "eot_pgd20" in c.path)
    assert isinstance(cell.model, CandidateSet)
    # Each of three members is computed once more for every gradient.
    each = 360 * (20 * (2e9 + 1e9) + 2 * 1e9)
    assert CostModel(project)(cell).operations == pytest.approx(3 * each)


@pytest.mark.parametrize("order", [1, -1])
def test_features_of_an_untrained_network_done_by_hand(project: Project, order: int) -> None:
    """Its batch norms see 1,237 training images first, whatever was counted before it."""
    measured = [j.cell for j in jobs_of(project, "fig4") if isinstance(j.cell, FeatureDistance)]
    cost = CostModel(project)
    for cell in measured[::order]:
        first = 1237 if isinstance(cell.model, Untrained) else 0
        # Clean images, and noise at five eps.
        assert cost(cell).operations == pytest.approx((first + 6 * 360) * 1e9)
    assert {type(cell.model) for cell in measured} == {Untrained, Dense}


def test_more_epochs_cost_proportionally_more(project: Project) -> None:
    cell = _first(project, "fig7", lambda c: isinstance(c, TrainingCell))
    config = project.matrix.config
    once = CostModel(project)(cell).operations
    longer = {n: replace(t, epochs=5 * t.epochs) for n, t in config.training.items()}
    project.matrix = type(project.matrix)(config.model_copy(update={"training": longer}))
    assert CostModel(project)(cell).operations == pytest.approx(5 * once)

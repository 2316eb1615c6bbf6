"""The arithmetic of attacks beside the network, timed on a model that costs next to nothing.

Projections, optimisers and random draws depend on the images only, so that one measurement
an image size serves all networks. Each attack is run for a few steps and divided by them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from rst_core.attacks import run_attack
from rst_core.attacks.reference import isolated
from rst_core.compat import import_autoattack
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Norm

#: Classes that Auto-Attack's nine targets need.
_CLASSES = 10
#: So small that every image stands: 1/255 of a hundredth.
_EPS = 0.01
#: Steps that are timed.
_STEPS = 5
_QUERIES = 30


def few_steps(
    name: str, images: int, side: int, device: torch.device
) -> tuple[Callable[[], object], int]:
    """An attack of a few steps on so many images, every one standing, and how many steps.

    Args:
        name: as in :func:`workflow.plan.cost.attack_calls`.
        images: in the batch.
        side: of the images, in pixels.
        device: where they are.
    """
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(images, 3, side, side, generator=rng).to(device)
    weights = (5 * torch.randn(3, _CLASSES, generator=rng)).to(device)

    def model(batch: Tensor) -> Tensor:
        return batch.mean((2, 3)) @ weights

    return _short(name, model, x, model(x).argmax(1))


def _short(
    name: str, model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor
) -> tuple[Callable[[], object], int]:
    rng = torch.Generator().manual_seed(0)
    if name.startswith("auto_attack"):
        return _auto_attack_part(name.split()[1], model, x, y)
    own: dict[str, AttackSpec] = {
        "cw_inf": AttackSpec(
            name="a", method=AttackMethod.CW_INF, norm=Norm.LINF, eps=_EPS, steps=_STEPS,
            step_size=_EPS,
        ),
        "cw_l2": AttackSpec(
            name="a", method=AttackMethod.CW_L2, norm=Norm.L2, steps=_STEPS, learning_rate=1e-4,
            search_steps=1, constant=1e-6,
        ),
        "bandits": AttackSpec(
            name="a", method=AttackMethod.BANDITS, norm=Norm.LINF, eps=_EPS, steps=_STEPS,
            step_size=_EPS, learning_rate=100, probe=0.1, exploration=1.0,
            tiles=max(1, x.shape[2] // 4),
        ),
    }  # fmt: skip
    return lambda: run_attack(model, x, y, own[name], rng), _STEPS


def _auto_attack_part(
    part: str, model: Callable[[Tensor], Tensor], x: Tensor, y: Tensor
) -> tuple[Callable[[], object], int]:
    """One of Auto-Attack's attacks, cut to a few steps against one target."""
    attack = import_autoattack().AutoAttack(
        isolated(model), norm="Linf", eps=_EPS / 255, seed=0, version="standard", device=x.device
    )
    # The parts themselves: what runs them checks the model first, once a batch.
    one = {"apgd": attack.apgd, "fab": attack.fab, "square": attack.square}[part]
    one.verbose = False
    if part == "square":
        one.n_queries = _QUERIES
        return lambda: one.perturb(x, y), _QUERIES
    one.n_iter, one.n_restarts = _STEPS, 1
    if part == "apgd":
        one.loss = "ce"
    else:
        one.targeted, one.n_target_classes = True, 1
    return lambda: one.perturb(x, y), _STEPS

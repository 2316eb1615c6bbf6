"""Attacks: a model, images, labels, a spec and a generator in; adversarial images out.

An attack leaves the model's mode and gradients as it found them, and its result always
lies in the ball and in [0, 1]: :func:`run_attack` checks every batch, and an example out
of budget is an error, never a number.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module

import torch
from torch import Tensor

from rst_core.attacks.budget import check_excess, excess
from rst_core.attacks.gradient import LogitFunction
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod

#: Adversarial images, and of attacks that count them the queries that each image cost.
Attack = Callable[
    [LogitFunction, Tensor, Tensor, AttackSpec, torch.Generator], Tensor | tuple[Tensor, Tensor]
]


@cache
def function_of(method: AttackMethod) -> Attack:
    """The function of a method; of one on sets it is given the logits of all members."""
    module, _, name = method.function.partition(".")
    found: Attack = getattr(import_module(f"rst_core.attacks.{module}"), name)
    return found


def run_attack(
    model: LogitFunction, images: Tensor, labels: Tensor, spec: AttackSpec, rng: torch.Generator
) -> Tensor:
    """Attack one batch: images N x 3 x H x W in [0, 1] and N class indices to adversarial images.

    ``model`` maps images to logits: N x classes, or M x N x classes for the M members of a
    candidate set. ``rng`` draws random starts, on the CPU or on the images' device. Raises
    ``BudgetError`` if a result left the ball or [0, 1].
    """
    return run_counting(model, images, labels, spec, rng)[0]


def run_counting(
    model: LogitFunction, images: Tensor, labels: Tensor, spec: AttackSpec, rng: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    """:func:`run_attack`, with the queries of each image, N, if the attack counts them."""
    if not len(images):
        return images.clone(), None
    found = function_of(spec.method)(model, images, labels, spec, rng)
    adversarial, queries = found if isinstance(found, tuple) else (found, None)
    check_excess(float(excess(adversarial, images, spec)), spec)
    return adversarial, queries

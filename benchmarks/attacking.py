"""PGD-20: ours, against the plain way."""

from __future__ import annotations

import copy

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import steps
from benchmarks.ratios import Ratio, quotients, take_turns
from rst_core.attacks import run_attack
from rst_core.attacks.budget import project
from rst_core.attacks.gradient import random_start
from rst_core.device.seeding import generator
from rst_core.measures.evaluation import correct
from rst_core.models.networks import Classifier
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Norm


def pgd_full_batch(
    model: Classifier, images: Tensor, labels: Tensor, spec: AttackSpec, rng: torch.Generator
) -> Tensor:
    """PGD whose every step carries the whole batch and computes the weights' gradients too.

    An image stays at its first misclassified iterate, as in ours: the outcomes must agree.
    """
    current = random_start(images, spec, rng)
    done = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    for _ in range(spec.steps):
        current = current.detach().requires_grad_(True)
        logits = model(current)
        torch.autograd.backward(F.cross_entropy(logits, labels, reduction="sum"))
        assert current.grad is not None
        done |= logits.argmax(1) != labels
        moved = current.detach() + spec.step_size / 255 * current.grad.sign()
        moved = project(moved, images, spec)
        current = torch.where(done.view(-1, 1, 1, 1), current.detach(), moved)
    return current.detach()


def pgd_evaluation(rounds: int, count: int = 200, pixels: int = 32, width: float = 0.125) -> Ratio:
    """PGD-20 where about half of the images stay correct: ours, and the plain way."""
    model, images, labels = _random(count, pixels, width)
    spec, robust_share = _halving(model, images, labels)
    trainable = copy.deepcopy(model).requires_grad_(True)
    outcomes: dict[str, Tensor] = {}

    def ours() -> None:
        found = run_attack(model, images, labels, spec, generator("pgd"))
        outcomes["ours"] = correct(model, found, labels)

    def plain() -> None:
        trainable.zero_grad(set_to_none=True)
        found = pgd_full_batch(trainable, images, labels, spec, generator("pgd"))
        outcomes["plain"] = correct(trainable, found, labels)

    times = take_turns({"ours": ours, "plain": plain}, rounds)
    differing = int((outcomes["ours"] != outcomes["plain"]).sum())
    remark = f"{100 * robust_share:.0f} % robust, {count} images, {differing} outcomes differ"
    against = "full batch, with weights' gradients"
    values = quotients(times["plain"], times["ours"])
    return Ratio("PGD-20 evaluation", against, values, "at least", 1.8, remark)


def _random(count: int, pixels: int, width: float) -> tuple[Classifier, Tensor, Tensor]:
    """A random network, images, and as labels what it says of them when nobody attacks."""
    model = steps.network(width, torch.device("cpu")).requires_grad_(False)
    images, _ = steps.batch(count, pixels, torch.device("cpu"))
    model.train()(images)  # statistics for its batch norms
    return model, images, model.eval()(images).argmax(1)


def _halving(model: Classifier, images: Tensor, labels: Tensor) -> tuple[AttackSpec, float]:
    """PGD-20 at the eps, of 0 to 32, that leaves closest to half of the images, and that share."""
    found: dict[float, tuple[AttackSpec, float]] = {}
    low, high = 0.0, 32.0
    for _ in range(6):
        eps = (low + high) / 2
        spec = AttackSpec(
            name="pgd20", method=AttackMethod.PGD, norm=Norm.LINF, eps=eps, steps=20,
            step_size=eps / 4, random_start=True, stop_at_success=True, seed=0,
        )  # fmt: skip
        attacked = run_attack(model, images, labels, spec, generator("halving"))
        robust_share = float(correct(model, attacked, labels).float().mean())
        found[abs(robust_share - 0.5)] = spec, robust_share
        low, high = (eps, high) if robust_share > 0.5 else (low, eps)
    return found[min(found)]

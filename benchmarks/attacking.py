"""PGD-20 and a transfer row of it: ours, against the plain ways."""

from __future__ import annotations

import copy
from collections import ChainMap
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import steps
from benchmarks.ratios import Ratio, quotients, take_turns
from rst_core.attacks import run_attack
from rst_core.attacks.budget import project
from rst_core.attacks.gradient import random_start
from rst_core.data.images import Images
from rst_core.device.seeding import generator
from rst_core.measures.evaluation import attack_and_evaluate, correct
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
    """PGD-20 where about half of the images stand: ours, and the plain way."""
    model, images, labels = _random(count, pixels, width)
    spec, standing = _halving(model, images, labels)
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
    remark = f"{100 * standing:.0f} % robust, {count} images, {differing} outcomes differ"
    against = "full batch, with weights' gradients"
    values = quotients(times["plain"], times["ours"])
    return Ratio("PGD-20 evaluation", against, values, "at least", 1.8, remark)


def transfer_row(
    rounds: int, count: int = 100, pixels: int = 32, width: float = 0.125, targets: int = 8
) -> Ratio:
    """One source's row of a transfer matrix: ours attacks once, the plain way for each target.

    The first target is the source, the others are copies of it whose weights moved a little.
    """
    model, clean, labels = _random(count, pixels, width)
    spec, standing = _halving(model, clean, labels)
    images = Images((255 * clean).round().byte(), labels)
    models = {"0": model} | {str(n): _moved(model, n) for n in range(1, targets)}
    outcomes: dict[str, Mapping[str, Tensor]] = {}

    def ours() -> None:
        outcomes["ours"] = attack_and_evaluate(model, models, images, spec).outcomes

    def plain() -> None:
        each = [
            attack_and_evaluate(model, {n: m}, images, spec).outcomes for n, m in models.items()
        ]
        outcomes["plain"] = dict(ChainMap(*each))

    times = take_turns({"ours": ours, "plain": plain}, rounds)
    differing = sum(int((outcomes["plain"][n] != o).sum()) for n, o in outcomes["ours"].items())
    remark = f"{100 * standing:.0f} % robust, {count} images, {differing} outcomes differ"
    values = quotients(times["plain"], times["ours"])
    what, against = f"transfer row to {targets} targets", "an attack for each target"
    return Ratio(what, against, values, "at least", 0.6 * targets, remark)


def _random(count: int, pixels: int, width: float) -> tuple[Classifier, Tensor, Tensor]:
    """A random network, images, and as labels what it says of them when nobody attacks."""
    model = steps.network(width, torch.device("cpu")).requires_grad_(False)
    images, _ = steps.batch(count, pixels, torch.device("cpu"))
    model.train()(images)  # statistics for its batch norms
    return model, images, model.eval()(images).argmax(1)


def _moved(model: Classifier, seed: int) -> Classifier:
    """A copy whose weights moved a little: another ticket, as far as time goes."""
    other, rng = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    for weight in other.parameters():
        weight.add_(0.1 * weight.std() * torch.randn(weight.shape, generator=rng))
    return other


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
        standing = float(correct(model, attacked, labels).float().mean())
        found[abs(standing - 0.5)] = spec, standing
        low, high = (eps, high) if standing > 0.5 else (low, eps)
    return found[min(found)]

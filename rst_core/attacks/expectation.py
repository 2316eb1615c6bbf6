"""Attacks on the expected accuracy of a candidate set: stronger attacks on R2S.

R2S answers as a uniformly drawn member, so its expected accuracy on an image is the share
of members that classify it correctly, which an adversary who knows the members computes exactly.
Auto-Attack's randomised version draws 20 times a gradient instead, and leaves out the images
that one draw misclassifies. Here the libraries' search rules are untouched; they are handed
exact expectations, and of all images they evaluate the one is kept that the fewest members
classify correctly.

Sources: Croce and Hein, ICML 2020 (APGD, Auto-Attack); Andriushchenko et al., ECCV 2020
(Square); Athalye, Carlini and Wagner, ICML 2018 (expectation over transformations).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, assert_never

import torch
from torch import Tensor
from torch.nn import functional as F

from rst_core.attacks.budget import radius
from rst_core.attacks.gradient import LogitFunction
from rst_core.attacks.reference import draw_seed, official_auto_attack, seeded
from rst_core.device.compat import import_autoattack
from rst_core.settings import AttackSpec
from rst_core.vocabulary import Combination

#: Logits, N x classes, and N labels to N losses.
Loss = Callable[[Tensor, Tensor], Tensor]


def average_log_probabilities(logits: Tensor) -> Tensor:
    """Logarithm of the members' averaged softmax outputs: M x N x classes to N x classes."""
    return torch.logsumexp(F.log_softmax(logits, -1), 0) - math.log(len(logits))


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """The right entry less the largest wrong one: (… x) N x classes to (… x) N."""
    at = labels.expand(logits.shape[:-1])[..., None]
    right = logits.gather(-1, at).squeeze(-1)
    return right - logits.scatter(-1, at, -torch.inf).amax(-1)


def combined_losses(logits: Tensor, labels: Tensor, combine: Combination, loss: Loss) -> Tensor:
    """What is maximised: M x N x classes to N losses, see :class:`Combination`."""
    match combine:
        case Combination.LOSSES:
            return torch.stack([loss(one, labels) for one in logits]).mean(0)
        case Combination.LOGITS:
            return loss(logits.mean(0), labels)
        case Combination.PROBABILITIES:
            return loss(average_log_probabilities(logits), labels)
        case Combination.WORST:
            resisting = margin(logits, labels).argmax(0)
            rows = torch.arange(len(labels), device=labels.device)
            return loss(logits[resisting, rows], labels)
        case _:
            assert_never(combine)


def standing(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """How well each image stands, of logits M x N x classes: lower is better for the adversary.

    Returns the number of members that are right, N; and a number that orders images by it and,
    where it is equal, by the margin of the averaged probabilities, N.
    """
    right = (logits.argmax(-1) == labels).sum(0)
    # Rises with the margin from 0 to 1/2, and never so flat that rounding hides the rise.
    tie = torch.atan(margin(average_log_probabilities(logits), labels)) / (2 * math.pi) + 0.25
    return right, right + tie


@dataclass
class _Best:
    """The best image found for each clean one, with both results of :func:`standing`."""

    images: Tensor
    right: Tensor
    order: Tensor

    @classmethod
    def of(cls, members: LogitFunction, images: Tensor, labels: Tensor) -> _Best:
        """Start at the clean images."""
        with torch.no_grad():
            return cls(images.clone(), *standing(members(images).float(), labels))

    def keep(self, at: Tensor, images: Tensor, right: Tensor, order: Tensor) -> None:
        """Take over those of ``images`` that beat what is kept at the indices ``at``."""
        better = order < self.order[at]
        where = at[better]
        self.images[where] = images[better]
        self.right[where], self.order[where] = right[better], order[better]


@dataclass
class _Expectation:
    """What APGD's code asks of a model that is no torch module (its own hook, ``is_tf_model``).

    The losses are exact expectations, and every evaluated image is compared with the best so far.
    """

    members: LogitFunction
    combine: Combination
    dlr: Loss
    best: _Best
    at: Tensor

    def get_logits_loss_grad_xent(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, cross-entropies, and their gradient towards the images."""
        return self._ask(x, y, partial(F.cross_entropy, reduction="none"))

    def get_logits_loss_grad_dlr(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, difference-of-logits-ratio losses, and their gradient towards the images."""
        return self._ask(x, y, self.dlr)

    def _ask(self, x: Tensor, y: Tensor, loss: Loss) -> tuple[Tensor, Tensor, Tensor]:
        x = x.detach().requires_grad_(True)
        with torch.enable_grad():
            logits = self.members(x).float()
            losses = combined_losses(logits, y, self.combine, loss)
        (gradient,) = torch.autograd.grad(losses.sum(), x)
        logits = logits.detach()
        self.best.keep(self.at, x.detach(), *standing(logits, y))
        return logits.mean(0), losses.detach(), gradient.contiguous()


def _run_apgd(
    members: LogitFunction,
    images: Tensor,
    labels: Tensor,
    combine: Combination,
    runs: Iterable[tuple[Any, str]],
) -> Tensor:
    """Run APGD once for each of ``runs``, its object and its loss; the best images of all.

    The first run is on all images (a transferred attack moves misclassified ones on as well), later
    ones are on those that some member still classifies correctly.
    """
    images = images.clone(memory_format=torch.contiguous_format)
    best = _Best.of(members, images, labels)
    at = torch.arange(len(images), device=images.device)
    for apgd, loss in runs:
        if not len(at):
            break
        apgd.is_tf_model, apgd.loss, apgd.eot_iter = True, loss, 1
        apgd.model = _Expectation(members, combine, apgd.dlr_loss, best, at)
        apgd.init_hyperparam(images[at])
        apgd.attack_single_run(images[at], labels[at])
        at = best.right.nonzero().squeeze(1)
    return best.images


def apgd(
    members: LogitFunction, images: Tensor, labels: Tensor, spec: AttackSpec, rng: torch.Generator
) -> Tensor:
    """APGD on the cross-entropy of a candidate set's combined members, with restarts.

    ``members`` maps images to the logits of every member, M x N x classes.
    """
    assert spec.combine is not None
    one = import_autoattack("autopgd_base").APGDAttack(
        None, n_iter=spec.steps, norm="Linf", eps=radius(spec), device=images.device
    )
    with seeded(draw_seed(rng), images.device):
        return _run_apgd(members, images, labels, spec.combine, [(one, "ce")] * spec.restarts)


def auto_attack_expected(
    members: LogitFunction, images: Tensor, labels: Tensor, spec: AttackSpec, rng: torch.Generator
) -> Tensor:
    """Auto-Attack's randomised version, its 20 draws a gradient replaced by the exact mean.

    Attacks, steps and restarts are those that the official code sets for that version: APGD on the
    members' mean cross-entropy, then on their mean difference-of-logits ratio. Raises
    ``ValueError`` for a model with fewer classes than the losses need.
    """
    seed = draw_seed(rng)
    official = official_auto_attack(members, images, spec, "rand", seed)
    runs = [
        (official.apgd, name.removeprefix("apgd-"))
        for name in official.attacks_to_run
        for _ in range(official.apgd.n_restarts)
    ]
    with seeded(seed, images.device):
        return _run_apgd(members, images, labels, Combination.LOSSES, runs)


@torch.no_grad()
def square(
    members: LogitFunction, images: Tensor, labels: Tensor, spec: AttackSpec, rng: torch.Generator
) -> Tensor:
    """Square attack on the expected accuracy; ``spec.steps`` are queries of all members.

    A square is kept if fewer members are right with it or, where it changes none, if it lowers the
    margin of their averaged probabilities. An image leaves when all members are wrong.
    """
    images = images.clone(memory_format=torch.contiguous_format)
    attack = import_autoattack("square").SquareAttack(
        None,
        norm="Linf",
        n_queries=spec.steps,
        eps=radius(spec),
        # As Auto-Attack sets it.
        p_init=0.8,
        resc_schedule=False,
        device=images.device,
    )

    def margin_and_loss(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        right, order = standing(members(x).float(), y)
        return right - 0.5, order

    attack.margin_and_loss = margin_and_loss
    attack.init_hyperparam(images)
    best = _Best.of(members, images, labels)
    with seeded(draw_seed(rng), images.device):
        _, found = attack.attack_single_run(images, labels)
    at = torch.arange(len(images), device=images.device)
    best.keep(at, found, *standing(members(found).float(), labels))
    return best.images

"""Projected gradient descent and its one-step forms [3.2, 4.1, 4.6, 5.4].

FGSM is one step of eps from zero; FGSM-RS one step of 1.25 eps from a uniform start.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from rst_core.attacks.budget import flat_norm, image_units, project, radius
from rst_core.device.distributed import SINGLE_PROCESS, Share
from rst_core.settings import AttackSpec
from rst_core.vocabulary import Norm

#: Images in [0, 1] to logits: N x classes, or M x N x classes for M models at once.
LogitFunction = Callable[[Tensor], Tensor]


def _losses(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each image, N; averaged over models if there are several."""
    if logits.dim() == 2:
        return F.cross_entropy(logits.float(), labels, reduction="none")
    each = [F.cross_entropy(one.float(), labels, reduction="none") for one in logits]
    return torch.stack(each).mean(0)


def _standing(logits: Tensor, labels: Tensor) -> Tensor:
    """Which of N images stand: classified correctly by the model, or by any of several."""
    right = logits.argmax(-1) == labels
    return right if right.dim() == 1 else right.any(0)


def input_gradient(
    model: LogitFunction, images: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, loss of each image, and the loss's gradient with respect to the images only.

    Parameter gradients are neither computed nor touched.
    """
    images = images.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = model(images)
        losses = _losses(logits, labels)
    (gradient,) = torch.autograd.grad(losses.sum(), images)
    return logits.detach(), losses.detach(), gradient


def _uniform(shape: torch.Size, rng: torch.Generator, device: torch.device) -> Tensor:
    return torch.rand(shape, generator=rng, device=rng.device).to(device)


def random_start(
    images: Tensor, spec: AttackSpec, rng: torch.Generator, share: Share = SINGLE_PROCESS
) -> Tensor:
    """Images moved uniformly inside the ball, clipped to [0, 1].

    With several processes the moves are drawn for the whole batch: they are those of one process.
    """
    eps = radius(spec)
    count = len(images) * share.processes
    shape = torch.Size([count, *images.shape[1:]])
    if spec.norm is Norm.LINF:
        delta = (2 * _uniform(shape, rng, images.device) - 1) * eps
    else:
        direction = torch.randn(shape, generator=rng, device=rng.device).to(images.device)
        share_of_ball = _uniform(torch.Size([count, 1, 1, 1]), rng, images.device)
        dimension = math.prod(images.shape[1:])
        delta = direction / flat_norm(direction) * share_of_ball ** (1 / dimension) * eps
    start = project(images + delta[share.rows(count)], images, spec)
    return start.contiguous(memory_format=torch.channels_last)


def _step(current: Tensor, gradient: Tensor, images: Tensor, spec: AttackSpec) -> Tensor:
    size = image_units(spec.step_size, spec.norm)
    if spec.norm is Norm.LINF:
        direction = gradient.sign()
    else:
        direction = gradient / flat_norm(gradient).clamp_min(1e-12)
    return project(current + size * direction, images, spec)


def _run_to_the_end(
    model: LogitFunction, images: Tensor, labels: Tensor, start: Tensor, spec: AttackSpec
) -> Tensor:
    """Every image takes every step. No host synchronisation: this is the training path."""
    current = start
    for _ in range(spec.steps):
        _, _, gradient = input_gradient(model, current, labels)
        current = _step(current, gradient, images, spec)
    return current


def _run_until_success(
    model: LogitFunction, images: Tensor, labels: Tensor, start: Tensor, spec: AttackSpec
) -> Tensor:
    """An image leaves the batch at its first iterate that fell, which is its result."""
    result = start.clone()
    active = torch.arange(len(images), device=images.device)
    for _ in range(spec.steps):
        current = result[active]
        logits, _, gradient = input_gradient(model, current, labels[active])
        standing = _standing(logits, labels[active])
        active, current, gradient = active[standing], current[standing], gradient[standing]
        if not len(active):
            break
        result[active] = _step(current, gradient, images[active], spec)
    return result


def pgd(
    model: LogitFunction,
    images: Tensor,
    labels: Tensor,
    spec: AttackSpec,
    rng: torch.Generator,
    share: Share = SINGLE_PROCESS,
) -> Tensor:
    """Projected gradient ascent on the cross-entropy.

    With ``stop_at_success`` an image stays at its first iterate that the model, or all of several,
    misclassify, as in the released code, and costs nothing more. The random starts are drawn for
    the whole batch before anything is dropped. With several restarts, an image that fell is left
    alone; for one that stands, the restart of the largest loss is returned.
    """
    run = _run_until_success if spec.stop_at_success else _run_to_the_end
    if spec.restarts == 1:
        start = random_start(images, spec, rng, share) if spec.random_start else images
        return run(model, images, labels, start, spec)
    best = images.clone()
    best_loss = torch.full((len(images),), -math.inf, device=images.device)
    standing = torch.ones(len(images), dtype=torch.bool, device=images.device)
    for _ in range(spec.restarts):
        start = random_start(images, spec, rng, share) if spec.random_start else images
        at = standing.nonzero().squeeze(1)
        if not len(at):
            break
        tried = run(model, images[at], labels[at], start[at], spec)
        with torch.no_grad():
            logits = model(tried)
            losses = _losses(logits, labels[at])
        fell = ~_standing(logits, labels[at])
        better = fell | (losses > best_loss[at])
        best[at[better]] = tried[better]
        best_loss[at[better]] = losses[better]
        standing[at[fell]] = False
    return best

"""Bandits with time and data-dependent priors [5.5, B]: Ilyas, Engstrom and Madry, ICLR 2019.

"Prior Convictions: Black-Box Adversarial Attacks with Bandits and Priors". The attack keeps an
estimate of the gradient from step to step (the time prior) on a coarse grid of tiles (the data
prior), learns from two queries a step how to move it, and walks the image along its sign. It sees
logits only: no gradient is ever computed.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from rst_core.attacks.budget import flat_norm, image_units, project
from rst_core.attacks.gradient import LogitFunction
from rst_core.settings import AttackSpec


def _spread(prior: Tensor, images: Tensor) -> Tensor:
    """N x 3 x tiles x tiles to the images' size, every pixel with its tile's value."""
    return F.interpolate(prior, size=images.shape[2:], mode="nearest")


def gradient_estimate(dual: Tensor, images: Tensor) -> Tensor:
    """What the prior says about the loss's gradient, N x 3 x H x W in [-1, 1]."""
    return _spread(torch.tanh(dual), images)


def learn(
    model: LogitFunction,
    images: Tensor,
    labels: Tensor,
    dual: Tensor,
    noise: Tensor,
    spec: AttackSpec,
) -> tuple[Tensor, Tensor]:
    """Query both sides of the prior once and move it where the loss rises.

    The exponentiated-gradient update of a prior in [-1, 1] is a plain gradient step on its inverse
    hyperbolic tangent, ``dual``. Kept there it neither overflows nor sticks at the ends, where
    float32 rounds 1 - p to 0. The queries are not clipped to [0, 1], as in the original.

    ``images``, N x 3 x H x W, are where the attack stands now; ``dual`` and the standard normal
    ``noise`` are N x 3 x tiles x tiles. Returns the moved ``dual``, and the logits of ``images``.
    """
    assert spec.exploration is not None
    assert spec.probe is not None
    assert spec.learning_rate is not None
    prior = torch.tanh(dual)
    move = spec.exploration * noise / (noise[0].numel() ** 0.5)
    sides = [_spread(prior + move, images), _spread(prior - move, images)]
    offsets = [spec.probe * side / flat_norm(side).clamp_min(1e-12) for side in sides]
    # One pass for the image and its two queries: small batches cost what their calls cost.
    logits = model(torch.cat([images, images + offsets[0], images + offsets[1]])).float()
    here, above, below = logits.chunk(3)
    rise = F.cross_entropy(above, labels, reduction="none") - F.cross_entropy(
        below, labels, reduction="none"
    )
    slope = (rise / (spec.probe * spec.exploration))[:, None, None, None]
    return dual + spec.learning_rate * slope * move, here


@torch.no_grad()
def bandits(
    model: LogitFunction, images: Tensor, labels: Tensor, spec: AttackSpec, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Walk every image along the sign of its estimated gradient until it is misclassified.

    Noise is drawn for the whole batch, so that no image's depends on which others are left in it.
    Returns adversarial images, N x 3 x H x W, and the queries of each, N: two a step, counted as
    the paper does, without the check whether the image is misclassified. Raises ``ValueError`` for
    more tiles than pixels along a side.
    """
    assert spec.tiles is not None
    side = min(images.shape[2:])
    if spec.tiles > side:
        raise ValueError(
            f"tiles is {spec.tiles}; allowed is at most {side}, the side of the images"
        )
    result = images.clone()
    queries = torch.zeros(len(images), dtype=torch.int64, device=images.device)
    shape = (len(images), images.shape[1], spec.tiles, spec.tiles)
    dual = torch.zeros(shape, device=images.device)
    active = torch.arange(len(images), device=images.device)
    size = image_units(spec.step_size, spec.norm)
    for _ in range(spec.steps):
        if not len(active):
            break
        noise = torch.randn(shape, generator=rng, device=rng.device).to(images.device)[active]
        current = result[active]
        dual, logits = learn(model, current, labels[active], dual, noise, spec)
        correct = logits.argmax(1) == labels[active]
        active, current, dual = active[correct], current[correct], dual[correct]
        queries[active] += 2
        stepped = current + size * gradient_estimate(dual, current).sign()
        result[active] = project(stepped, images[active], spec)
    return result, queries

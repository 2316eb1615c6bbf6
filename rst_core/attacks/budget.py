"""Perturbation budgets: radii in image units, projection, and the check of every result."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rst_core.settings import AttackSpec
from rst_core.vocabulary import Norm

#: Rounding of float32 images; a budget overrun beyond it is a defect.
TOLERANCE = {Norm.LINF: 1e-6, Norm.L2: 1e-4}


class BudgetError(RuntimeError):
    """An attack returned an image outside its ball or outside [0, 1]."""


def image_units(value: float, norm: Norm) -> float:
    """A size of the spec on [0, 1] images: L-infinity sizes are in 1/255."""
    return value / 255 if norm is Norm.LINF else value


def radius(spec: AttackSpec) -> float:
    """The ball's radius on [0, 1] images; infinite for an attack without eps, leaving the box."""
    return math.inf if spec.eps is None else image_units(spec.eps, spec.norm)


def flat_norm(x: Tensor) -> Tensor:
    """L2 norm of each image of N x C x H x W, as N x 1 x 1 x 1."""
    norm: Tensor = torch.linalg.vector_norm(x, dim=(1, 2, 3), keepdim=True)
    return norm


def project(candidate: Tensor, images: Tensor, spec: AttackSpec) -> Tensor:
    """The nearest images to ``candidate`` in the ball around ``images``, then in [0, 1]."""
    eps = radius(spec)
    if spec.norm is Norm.LINF:
        return torch.clamp(candidate, images - eps, images + eps).clamp_(0, 1)
    delta = candidate - images
    factor = (eps / flat_norm(delta).clamp_min(1e-12)).clamp_max(1)
    # Clipping to the box moves every pixel towards the image, never out of the ball.
    return (images + delta * factor).clamp_(0, 1)


def excess(adversarial: Tensor, images: Tensor, spec: AttackSpec) -> Tensor:
    """How far the worst image is out of ball or box; at most 0 if none is. Stays on the device."""
    delta = adversarial - images
    size = delta.abs().amax() if spec.norm is Norm.LINF else flat_norm(delta).amax()
    outside = torch.maximum(adversarial.amax() - 1, -adversarial.amin())
    return torch.maximum(size - radius(spec), outside)


def check_excess(worst: float, spec: AttackSpec) -> None:
    """Raise :class:`BudgetError` if ``worst`` of :func:`excess` is more than rounding."""
    if not worst <= TOLERANCE[spec.norm]:  # written so that NaN fails too
        unit = "1/255" if spec.norm is Norm.LINF else "on [0, 1] images"
        ball = "" if spec.eps is None else f"its {spec.norm} ball of eps {spec.eps:g} ({unit}) or "
        raise BudgetError(
            f"{spec.name} returned an image {worst:g} outside {ball}[0, 1]; this is a bug in "
            "the attack, so no result was written"
        )

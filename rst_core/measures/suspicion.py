"""What makes a robust accuracy suspect, measured on the model that an attack saw.

Athalye, Carlini and Wagner, ICML 2018, and Carlini et al., "On Evaluating Adversarial
Robustness", 2019, list the symptoms of an attack that failed for the wrong reason. Those that
one cell can show by itself are measured here; what counts as suspect is decided where
numbers are shown (``workflow.artifacts.numbers.suspicion``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from rst_core.attacks.gradient import LogitFunction, input_gradient, pgd
from rst_core.data.images import LabelledImages
from rst_core.device.seeding import generator
from rst_core.settings import validation_attack

#: Images that are looked at: enough to see a symptom, few beside any attack.
IMAGES = 100

#: A ball so large, a quarter of the pixel range each way, that an attack that works leaves none.
#: The step is a quarter of eps: PGD-20's step of 2 would not cross the ball.
LARGE = validation_attack(64.0, 20)


@dataclass(frozen=True)
class Checks:
    """The symptoms, measured on the first images of the test set.

    Attributes:
        images: how many were looked at.
        zero_gradient: on how many the loss's gradient is exactly zero.
        rerun_difference: largest change of an image's outputs between two forward passes, as a
            fraction of their L2 norm: Auto-Attack's own check for randomised defences.
        probabilities: whether all outputs are non-negative and sum to 1.
        correct_at_64: how many survive PGD-20 at eps 64/255. Where the attack sees several
            models at once it is their mean.
    """

    images: int
    zero_gradient: int
    rerun_difference: float
    probabilities: bool
    correct_at_64: float


def measure_checks(source: LogitFunction, images: LabelledImages, seed: int) -> Checks:
    """Look for the symptoms in what an attack saw, N x classes or M x N x classes."""
    _, clean, labels = next(iter(images.evaluation_batches(images.at_once(IMAGES))))
    outputs, again = _outputs(source, clean), _outputs(source, clean)
    _, _, gradient = input_gradient(source, clean, labels)
    norm = partial(torch.linalg.vector_norm, dim=-1)
    # Several models have no first success; one falls within a few of the large steps.
    large = replace(LARGE, stop_at_success=outputs.dim() == 2)
    moved = pgd(source, clean, labels, large, generator("checks", seed))
    return Checks(
        images=len(labels),
        zero_gradient=int((gradient.flatten(1) == 0).all(1).sum()),
        rerun_difference=float((norm(outputs - again) / norm(outputs).clamp_min(1e-10)).amax()),
        probabilities=_are_probabilities(outputs),
        # Of several models the mean.
        correct_at_64=float((_outputs(source, moved).argmax(-1) == labels).float().sum(-1).mean()),
    )


@torch.no_grad()
def _outputs(source: LogitFunction, images: Tensor) -> Tensor:
    return source(images).float()


def _are_probabilities(outputs: Tensor) -> bool:
    sums = outputs.sum(-1)
    return bool((outputs >= 0).all() and torch.allclose(sums, torch.ones_like(sums), atol=1e-4))

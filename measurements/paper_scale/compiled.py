"""Training under torch.compile: the same arithmetic, fused, and so different by rounding."""

from __future__ import annotations

import torch
from torch import Tensor

from rst_core.networks import Classifier


def leave_as_is(model: Classifier) -> None:
    """Prepare nothing."""


def compile_training(model: Classifier) -> None:
    """Let a model's network run compiled while it is in training mode, in place.

    Measurements stay as they are: attacks on batches that shrink would compile again and again.
    """
    network = model.network
    eager = network.forward
    fast = torch.compile(eager, dynamic=False)

    def forward(x: Tensor) -> Tensor:
        logits: Tensor = fast(x) if network.training else eager(x)
        return logits

    network.forward = forward

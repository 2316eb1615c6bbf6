"""Errors for losses, weights and logits that are not finite: argmax of NaN passes as class 0."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class DivergedError(RuntimeError):
    """A loss, a score, a weight or a logit is not finite; one sentence with what to try."""


def check_training(
    losses: Tensor, state: Iterable[Tensor], epoch: int, rate: float, identity: str
) -> None:
    """Raise :class:`DivergedError` if a training run did; to be called before its state is kept.

    One question to the device, whatever the number of tensors. ``losses`` are of every step of the
    epoch so far, over all processes, on the CPU; ``state`` are variables, momenta and batch-norm
    statistics; ``epoch`` counts from 1.
    """
    steps = (~losses.isfinite()).nonzero().flatten().tolist()
    checks = [t.detach().isfinite().all() for t in state if t.is_floating_point()]
    if not steps and bool(torch.stack(checks).all()):
        return
    step = f"step {steps[0] + 1}" if steps else f"the end of step {len(losses)}"
    what = "the loss" if steps else "a variable"
    raise DivergedError(
        f"{identity} diverged: {what} is not finite at {step} of epoch {epoch}, at learning rate "
        f"{rate:g}; no result was written, try a smaller lr (a tenth), or a warm-up"
    )


def check_logits(logits: Tensor, name: str) -> None:
    """Raise :class:`DivergedError`, naming the model, if its logits are not finite."""
    if not bool(logits.isfinite().all()):
        raise DivergedError(
            f"{name} gives logits that are not finite, so it predicts no class; search or train "
            "it again with a smaller lr"
        )

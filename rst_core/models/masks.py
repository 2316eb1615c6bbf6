"""Masks as a pure function of scores and a keep ratio [3.2]."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from rst_core.device.seeding import generator
from rst_core.ranges import check_keep_ratio
from rst_core.vocabulary import Pattern, ScoreInit


def score_shape(weight_shape: torch.Size, pattern: Pattern) -> tuple[int, ...]:
    """Shape of a layer's scores, broadcastable to its weight [4.5].

    Row, kernel and channel are patterns "for each convolutional filter": a kernel's row, a whole
    kernel, a whole filter (output channel). The linear classifier keeps element granularity under
    every pattern; the released code prunes whole classes there, which no accuracy can survive.
    """
    if len(weight_shape) == 2 or pattern is Pattern.ELEMENT:
        return tuple(weight_shape)
    grouped = {Pattern.ROW: 1, Pattern.KERNEL: 2, Pattern.CHANNEL: 3}[pattern]
    return (*weight_shape[:-grouped], *(1,) * grouped)


def kept_count(groups: int, keep_ratio: float) -> int:
    """How many of a layer's groups stay: the nearest integer, at least one."""
    return max(1, math.floor(groups * keep_ratio + 0.5))


def top_k_mask(scores: Tensor, keep_ratio: float) -> Tensor:
    """Boolean mask of the ``kept_count`` scores of largest magnitude, exactly that many.

    The k-th largest value is a threshold; among scores equal to it, the first ones stay. On a GPU
    nothing here waits for the device.
    """
    check_keep_ratio(keep_ratio)
    magnitude = scores.detach().abs()
    keep = kept_count(magnitude.numel(), keep_ratio)
    pruned, on_cpu = magnitude.numel() - keep, magnitude.device.type == "cpu"
    if not pruned:
        return torch.ones_like(scores, dtype=torch.bool)
    if on_cpu:
        threshold = _smallest(magnitude, pruned)
        mask = magnitude >= threshold
        if int(mask.count_nonzero()) == keep:
            return mask
    magnitude = magnitude.flatten()
    if not on_cpu:
        threshold = _smallest_by_topk(magnitude, pruned)
    above = magnitude > threshold
    ties = magnitude == threshold
    wanted = keep - above.sum()
    mask = above | (ties & (ties.cumsum(0) <= wanted))
    return mask.view(scores.shape)


def _smallest(values: Tensor, rank: int) -> Tensor:
    """The value on the CPU that ``rank`` others stand before in ascending order.

    NumPy's selection is vectorised: 8 times faster than ``torch.kthvalue`` on an AVX-512 CPU,
    where that took 3 % of a search step at batch 64.
    """
    in_memory = values.numpy().ravel(order="K")  # no copy, whatever the memory format
    return torch.from_numpy(np.partition(in_memory, rank)[rank : rank + 1])[0]


def _smallest_by_topk(values: Tensor, rank: int) -> Tensor:
    """The same of a vector on a GPU, from whichever side has fewer values.

    ``torch.kthvalue`` gives a whole layer to one multiprocessor and is 20 times slower than a sort
    (pytorch/pytorch#75599); topk spreads it over all of them (pytorch/pytorch#74267).
    """
    above = len(values) - rank
    if rank < above:
        return torch.topk(values, rank + 1, largest=False, sorted=False).values.amax()
    return torch.topk(values, above, sorted=False).values.amin()


class StraightThrough(torch.autograd.Function):
    """Masked weight whose gradient passes straight through the mask to the scores [3.2].

    Forward: weight times the mask of the largest magnitudes. Backward: the derivative of the
    mask with respect to a score's magnitude is taken as 1, so a score receives the sum over its
    group of gradient times weight, times its own sign.
    """

    @staticmethod
    def forward(ctx, weight: Tensor, scores: Tensor, keep_ratio: float) -> Tensor:  # type: ignore[no-untyped-def]
        """Weight (any shape), scores (broadcastable to it) to the masked weight."""
        ctx.save_for_backward(weight, scores)
        return weight * top_k_mask(scores, keep_ratio)

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        """Gradient of the masked weight to that of the scores."""
        weight, scores = ctx.saved_tensors
        return None, (grad * weight).sum_to_size(scores.shape) * scores.sign(), None


def draw_scores(
    weight: Tensor,
    name: str,
    pattern: Pattern,
    seed: int,
    score_init: ScoreInit = ScoreInit.RELEASED,
) -> Tensor:
    """Initial scores of a layer: Kaiming uniform with a = sqrt(5), i.e. U(±1/sqrt(fan_in)).

    As released, the fan is the scores' own, and a channel's score, which has none, is normal.
    """
    scores = torch.empty(score_shape(weight.shape, pattern))
    rng = generator("scores", seed, name)
    released = score_init is ScoreInit.RELEASED
    if released and pattern is Pattern.CHANNEL and weight.dim() == 4:
        return scores.normal_(generator=rng)
    bound = 1 / math.sqrt((scores if released else weight)[0].numel())
    return scores.uniform_(-bound, bound, generator=rng)

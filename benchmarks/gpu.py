"""Benchmarks on a CUDA device: a search step in three precisions, and the alternatives to our
choices of mask selection, memory format and cuDNN's algorithm search.

On the CPU the same functions run at toy size, which is all that the tests can show without a
device.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor

from benchmarks import steps
from benchmarks.ratios import take_turns
from rst_core.device.arithmetic import in_precision
from rst_core.models.masks import kept_count, top_k_mask
from rst_core.vocabulary import Precision
from workflow.text import table

#: Steps that are timed at once: the host runs ahead of a GPU, as it does in training.
IN_A_ROW = 10
KEEP_RATIO = 0.2


def measure(
    device: torch.device, rounds: int, size: int = 256, width: float = 1.0
) -> dict[str, float]:
    """Median milliseconds of steps of PreActResNet-18 in every precision, and of the masks of its
    largest layer."""
    images, labels = steps.batch(size, 32, device)
    found: dict[str, float] = {}
    for precision in Precision:
        runs = _steps(width, device, precision)
        timed = _milliseconds(runs, rounds, images, labels)
        found |= {f"search step, {precision}: {name}": ms for name, ms in timed.items()}
    scores = torch.randn(int(512 * width), int(512 * width), 3, 3, device=device)
    timed = _milliseconds(MASKS, rounds, scores)
    return found | {f"mask: {name}": ms for name, ms in timed.items()}


def _steps(width: float, device: torch.device, precision: Precision) -> dict[str, steps.Step]:
    """Ours, its variants, and the two references; the released structure as it ran, in TF32."""
    build = partial(steps.network, width, device, precision)
    found = {
        "ours": steps.ours(build(), precision=precision),
        "dense limit": steps.limit(build(), precision=precision),
        "other memory format": steps.ours(steps.in_other_format(build()), precision=precision),
        "cuDNN's heuristics": steps.ours(build(), precision=precision, around=in_precision),
    }
    if precision is Precision.TF32:
        found["released structure"] = steps.released(build())
    return found


def _by_kthvalue(scores: Tensor) -> Tensor:
    magnitude = scores.abs().flatten()
    pruned = len(magnitude) - kept_count(len(magnitude), KEEP_RATIO)
    return (magnitude > magnitude.kthvalue(pruned).values).view(scores.shape)


def _by_sorting(scores: Tensor) -> Tensor:
    magnitude = scores.abs().flatten()
    mask = torch.zeros_like(magnitude, dtype=torch.bool)
    mask[magnitude.argsort(descending=True)[: kept_count(len(magnitude), KEEP_RATIO)]] = True
    return mask.view(scores.shape)


#: Ways to select the largest scores: ours, and what it was chosen over.
MASKS: dict[str, Callable[[Tensor], Tensor]] = {
    "ours": partial(top_k_mask, keep_ratio=KEEP_RATIO),
    "kthvalue": _by_kthvalue,
    "sorting": _by_sorting,
}


def _milliseconds(
    works: Mapping[str, Callable[..., object]], rounds: int, *arguments: Tensor
) -> dict[str, float]:
    def in_a_row(work: Callable[..., object]) -> None:
        for _ in range(IN_A_ROW):
            work(*arguments)

    times = take_turns({name: partial(in_a_row, work) for name, work in works.items()}, rounds)
    return {name: 1000 * statistics.median(t) / IN_A_ROW for name, t in times.items()}


def milliseconds_table(found: Mapping[str, float]) -> str:
    """Markdown, one line a variant."""
    return table(["what", "ms"], [(what, f"{ms:.4g}") for what, ms in found.items()])

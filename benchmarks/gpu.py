"""Benchmarks on a CUDA device: a search step in three precisions, and the mask of a large layer.

On the CPU the same functions run at toy size, which is all that the tests can show without a
device.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from functools import partial

import torch

from benchmarks import steps
from benchmarks.ratios import take_turns
from rst_core.models.masks import top_k_mask
from rst_core.vocabulary import Precision
from workflow.text import table

#: Steps that are timed at once: the host runs ahead of a GPU, as it does in training.
IN_A_ROW = 10


def measure(
    device: torch.device, rounds: int, size: int = 256, width: float = 1.0
) -> dict[str, float]:
    """Median milliseconds of steps of PreActResNet-18 in every precision, and of the mask of its
    largest layer; the released structure as it ran, in TF32."""
    batch = steps.batch(size, 32, device)
    scores = torch.randn(int(512 * width), int(512 * width), 3, 3, device=device)
    works: dict[str, Callable[[], object]] = {"mask": partial(top_k_mask, scores, 0.2)}
    for precision in Precision:
        build = partial(steps.network, width, device, precision)
        runs = {
            "ours": steps.ours(build(), precision=precision),
            "dense limit": steps.limit(build(), precision=precision),
        }
        if precision is Precision.TF32:
            runs["released structure"] = steps.released(build())
        for name, step in runs.items():
            works[f"search step, {precision}: {name}"] = partial(step, *batch)

    def in_a_row(work: Callable[[], object]) -> None:
        for _ in range(IN_A_ROW):
            work()

    times = take_turns({name: partial(in_a_row, work) for name, work in works.items()}, rounds)
    return {name: 1000 * statistics.median(took) / IN_A_ROW for name, took in times.items()}


def milliseconds_table(found: Mapping[str, float]) -> str:
    """Markdown, one line a variant."""
    return table(["what", "ms"], [(what, f"{ms:.4g}") for what, ms in found.items()])

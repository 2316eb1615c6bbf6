"""A search step on the CPU against its two references, by batch size and precision."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import torch

from benchmarks import steps
from benchmarks.gpu import SETTINGS, matrix_rate
from benchmarks.ratios import Ratio, quotients, take_turns
from rst_core.networks import Classifier
from rst_core.vocabulary import Architecture, Precision

#: How many times faster than the released structure, by batch size [issue: measured 1.96, 3.04].
FASTER = {256: 1.9, 64: 2.9}


def search_steps(rounds: int, width: float = 1.0) -> list[Ratio]:
    """PreActResNet-18, PGD-7: ours against the limit and the released structure."""
    return [ratio for size in FASTER for ratio in _at_batch_size(size, rounds, width)]


def _at_batch_size(size: int, rounds: int, width: float) -> list[Ratio]:
    device = torch.device("cpu")
    images, labels = steps.batch(size, 32, device)

    def model() -> Classifier:
        return steps.network(Architecture.PREACT_RESNET18, width, device)

    variants = {
        "float32": steps.ours(model()),
        "limit": steps.limit(model()),
        "released": steps.released(model()),
        "bfloat16": steps.ours(model(), precision=Precision.BFLOAT16),
    }
    work = {name: partial(run, images, labels) for name, run in variants.items()}
    # At batch 256 a round takes minutes, in which a first call's extra work is lost.
    short = size <= 64
    times = take_turns(work, rounds, warm_up=short)
    # Single rounds differ by a tenth, which is more than this bound leaves.
    pair = {name: work[name] for name in ("float32", "limit")}
    close = take_turns(pair, 5 * rounds, warm_up=False) if short else times
    released = "the released cost structure"
    lead = f"search step, batch {size}"

    def remark(ours: list[float], other: list[float]) -> str:
        return f"ours {min(ours):.1f} s, {min(other):.1f} s"

    return [
        Ratio(f"{lead}, float32", "dense limit", quotients(close["float32"], close["limit"]),
              "at most", 1.05, remark(close["float32"], close["limit"])),
        Ratio(f"{lead}, float32", released, quotients(times["released"], times["float32"]),
              "at least", FASTER[size], remark(times["float32"], times["released"])),
        Ratio(f"{lead}, bfloat16", released, quotients(times["released"], times["bfloat16"]),
              "at least", 4.0,
              f"{remark(times['bfloat16'], times['released'])}; {matrix_units()}"),
    ]  # fmt: skip


@cache
def matrix_units() -> str:
    """What decides whether bfloat16 pays on a CPU: its matrix units, and the rates measured."""
    device = torch.device("cpu")
    words = set(Path("/proc/cpuinfo").read_text().split())
    unit = "with" if "amx_bf16" in words else "without"
    rates = [matrix_rate(device, setting, 2048) / 1e9 for setting in (SETTINGS[0], SETTINGS[2])]
    return (
        f"this CPU is {unit} bfloat16 matrix units (AMX): it multiplies matrices at "
        f"{rates[0]:.0f} GFLOPS in float32, {rates[1]:.0f} in bfloat16"
    )

"""A search step on the CPU against its two references, by batch size and precision."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path

import torch

from benchmarks import steps
from benchmarks.gpu import SETTINGS, matrix_rate
from benchmarks.ratios import Ratio, quotients, take_turns
from rst_core.networks import Classifier
from rst_core.vocabulary import Architecture

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
        "bfloat16": steps.ours(model(), bfloat16=True),
    }
    work = {name: partial(run, images, labels) for name, run in variants.items()}
    # Single rounds differ by a tenth, which is more than the bound leaves. At batch 256 one takes
    # minutes, in which a first call's extra work is lost.
    short = size <= 64
    times = take_turns(work, 2 * rounds + 1 if short else rounds, warm_up=short)
    ours, half = times["float32"], times["bfloat16"]
    base, released = times["limit"], "the released cost structure"
    lead = f"search step, batch {size}"
    remark = f"ours {min(ours):.1f} s, {{:.1f}} s"
    return [
        Ratio(f"{lead}, float32", "dense limit", quotients(ours, base), "at most", 1.05,
              remark.format(min(base))),
        Ratio(f"{lead}, float32", released, quotients(times["released"], ours), "at least",
              FASTER[size], remark.format(min(times["released"]))),
        Ratio(f"{lead}, bfloat16", released, quotients(times["released"], half), "at least", 4.0,
              f"ours {min(half):.1f} s, {min(times['released']):.1f} s; {matrix_units()}"),
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

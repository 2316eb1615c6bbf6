"""``python -m benchmarks.profile``: where the two hottest paths spend their time, as text.

A mask search's step and a PGD-20 evaluation, each against what it is compared with on the
page, by torch's profiler: the operations that take most, with their share and number of calls.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks import attacking, steps
from benchmarks.victim import Victim, train_victim
from rst_core.networks import Classifier
from rst_core.vocabulary import Architecture, Precision


def search(width: float, size: int) -> dict[str, Callable[[], object]]:
    """Ours in float32 and bfloat16, and the released structure."""
    device = torch.device("cpu")
    images, labels = steps.batch(size, 32, device)
    runs: dict[str, Callable[[Classifier], steps.Step]] = {
        "search step, released structure (before)": steps.released,
        "search step, ours, float32 (after)": steps.ours,
        "search step, ours, bfloat16 (after)": partial(steps.ours, precision=Precision.BFLOAT16),
    }
    return {
        name: partial(
            make(steps.network(Architecture.PREACT_RESNET18, width, device)), images, labels
        )
        for name, make in runs.items()
    }


def evaluation(victim: Victim, count: int) -> dict[str, Callable[[], object]]:
    """PGD-20 with all images and the weights' gradients, and ours."""
    variants = attacking.pgd_variants(victim, victim.images.first(count), {})
    return {
        "PGD-20 evaluation, full batch (before)": variants["plain"],
        "PGD-20 evaluation, ours (after)": variants["ours"],
    }


def summary(name: str, work: Callable[[], object], rows: int = 8) -> str:
    """The operations of one call that take most time themselves, after one call unmeasured."""
    work()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        work()
    events = sorted(found.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(e.self_cpu_time_total for e in events)
    lines = [f"{name}: {total / 1e6:.2f} s"]
    lines += [
        f"  {100 * e.self_cpu_time_total / total:5.1f} %  {e.count:6d} calls  {e.key}"
        for e in events[:rows]
    ]
    return "\n".join(lines)


def profiles(victim: Victim, width: float, size: int, images: int) -> str:
    """All of it."""
    works = search(width, size) | evaluation(victim, images)
    return "\n\n".join(summary(name, work) for name, work in works.items())


def main() -> None:
    """Print the profiles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=float, default=1.0, help="default: %(default)s")
    parser.add_argument("--batch", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--images", type=int, default=300, help="default: %(default)s")
    arguments = parser.parse_args()
    victim = train_victim(torch.device("cpu"))
    print(profiles(victim, arguments.width, arguments.batch, arguments.images))


if __name__ == "__main__":
    main()

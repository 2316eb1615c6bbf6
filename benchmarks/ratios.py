"""Measuring ratios, and showing them: variants take turns, so that a busy moment hits all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
import torch

from workflow.text import table


@dataclass(frozen=True)
class Ratio:
    """One line of the table.

    Attributes:
        what: what was measured.
        against: what it is divided by (``at most``), or what is divided by it (``at least``).
        values: the ratio of every round.
        sense: whether small or large is good.
        target: the bound to reach.
        remark: whatever a reader needs to judge the number.
    """

    what: str
    against: str
    values: tuple[float, ...]
    sense: Literal["at most", "at least"]
    target: float
    remark: str = ""

    @property
    def median(self) -> float:
        """The number that is shown."""
        return statistics.median(self.values)

    @property
    def reached(self) -> bool:
        """Whether the median is on the right side of the target."""
        if self.sense == "at most":
            return self.median <= self.target
        return self.median >= self.target


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call, the device's unfinished work included."""
    _wait()
    began = time.perf_counter()
    work()
    _wait()
    return time.perf_counter() - began


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def take_turns(variants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every variant in every round, after one call of each that does not count.

    Every second round goes backwards, so that none always follows the same one: a machine that
    warms up, or memory that a large variant leaves behind, would favour somebody.
    """
    for work in variants.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in variants}
    forwards = list(variants.items())
    for number in range(rounds):
        for name, work in forwards[:: 1 if number % 2 == 0 else -1]:
            times[name].append(seconds(work))
    return times


def quotients(above: list[float], below: list[float]) -> tuple[float, ...]:
    """Round by round, so that a slow round slows both."""
    return tuple(a / b for a, b in zip(above, below, strict=True))


def ratio_table(ratios: Sequence[Ratio]) -> str:
    """Markdown, one line a ratio: median, range, rounds, target."""
    header = ["what", "against", "measured", "range", "rounds", "to reach", "", "remark"]
    return table(header, map(_line, ratios))


def _line(r: Ratio) -> list[object]:
    span = f"{min(r.values):.3g}–{max(r.values):.3g}" if len(r.values) > 1 else "–"
    bound = f"{'≤' if r.sense == 'at most' else '≥'} {r.target:.3g}"
    result = "reached" if r.reached else "**missed**"
    return [r.what, r.against, f"{r.median:.3g}", span, len(r.values), bound, result, r.remark]


def ratios_csv(ratios: Sequence[Ratio]) -> str:
    """CSV, one line a ratio and round."""
    rows = [
        (r.what, r.against, number, value, r.sense, r.target, r.remark)
        for r in ratios
        for number, value in enumerate(r.values)
    ]
    header = ["what", "against", "round", "value", "sense", "target", "remark"]
    return pd.DataFrame(rows, columns=header).to_csv(index=False, float_format="%.6g")

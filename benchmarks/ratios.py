"""Measuring ratios: variants take turns, so that a busy moment hits all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch

Sense = Literal["at most", "at least"]


@dataclass(frozen=True)
class Ratio:
    """One line of the table.

    Attributes:
        what: what was measured.
        against: what it is divided by (``at most``), or what is divided by it (``at least``).
        values: the ratio of every round.
        sense: whether small or large is good.
        target: the bound to reach; None if the number only informs a decision.
        remark: whatever a reader needs to judge the number.
    """

    what: str
    against: str
    values: tuple[float, ...]
    sense: Sense
    target: float | None
    remark: str = ""

    @property
    def median(self) -> float:
        """The number that is shown."""
        return statistics.median(self.values)

    @property
    def reached(self) -> bool | None:
        """Whether the median is on the right side of the target; None if there is none."""
        if self.target is None:
            return None
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


def take_turns(
    variants: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: bool = True
) -> dict[str, list[float]]:
    """Seconds of every variant in every round, after one call of each that does not count.

    Every second round goes backwards, so that none always follows the same one: a machine that
    warms up, or memory that a large variant leaves behind, would favour somebody.
    """
    if warm_up:
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

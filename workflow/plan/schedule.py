"""How long jobs take on so many devices: list scheduling, longest chain first."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

J = TypeVar("J")


@dataclass(frozen=True)
class Chain:
    """The longest chain of jobs of which each waits for the one before.

    Attributes:
        jobs: first to last.
        seconds: of all of them.
    """

    jobs: tuple[object, ...]
    seconds: float


def longest_chain(seconds: Mapping[J, float], inputs: Mapping[J, Sequence[J]]) -> Chain:
    """The chain that no number of devices makes shorter. Inputs come before what needs them."""
    until: dict[J, float] = {}
    before: dict[J, J | None] = {}
    for job in seconds:
        under = [other for other in inputs[job] if other in seconds]
        latest = max(under, key=lambda other: until[other], default=None)
        until[job] = seconds[job] + (until[latest] if latest is not None else 0.0)
        before[job] = latest
    if not until:
        return Chain((), 0.0)
    at: J | None = max(until, key=lambda job: until[job])
    total = until[at]  # type: ignore[index]
    jobs: list[object] = []
    while at is not None:
        jobs.append(at)
        at = before[at]
    return Chain(tuple(reversed(jobs)), total)


def wall_seconds(seconds: Mapping[J, float], inputs: Mapping[J, Sequence[J]], devices: int) -> float:
    """End of the last job if free devices always take the job with the longest chain behind it.

    Args:
        seconds: of every job; inputs come before what needs them.
        inputs: of every job; those that are no jobs are there already.
        devices: at least 1; each does one job at a time.
    """
    behind: dict[J, float] = {}
    waits = {job: sum(other in seconds for other in inputs[job]) for job in seconds}
    needed_by: dict[J, list[J]] = {job: [] for job in seconds}
    for job in seconds:
        for other in inputs[job]:
            if other in seconds:
                needed_by[other].append(job)
    for job in reversed(list(seconds)):
        behind[job] = seconds[job] + max((behind[o] for o in needed_by[job]), default=0.0)
    order = {job: number for number, job in enumerate(seconds)}
    ready = [(-behind[job], order[job], job) for job in seconds if not waits[job]]
    heapq.heapify(ready)
    running: list[tuple[float, int, J]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < devices:
            _, number, job = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[job], number, job))
        now, _, done = heapq.heappop(running)
        for job in needed_by[done]:
            waits[job] -= 1
            if not waits[job]:
                heapq.heappush(ready, (-behind[job], order[job], job))
    return now

"""How long jobs take on so many devices: list scheduling, longest chain first.

Jobs are numbered, inputs before what needs them.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence


def longest_chain(seconds: Sequence[float], inputs: Sequence[Sequence[int]]) -> list[int]:
    """The chain of jobs, first to last, that no number of devices makes shorter.

    Args:
        seconds: of every job.
        inputs: numbers of the jobs that every job waits for, all smaller than its own.
    """
    until: list[float] = []
    before: list[int | None] = []
    for own, under in zip(seconds, inputs, strict=True):
        latest = max(under, key=until.__getitem__, default=None)
        until.append(own + (until[latest] if latest is not None else 0.0))
        before.append(latest)
    at = max(range(len(until)), key=until.__getitem__, default=None)
    chain: list[int] = []
    while at is not None:
        chain.append(at)
        at = before[at]
    return chain[::-1]


def wall_seconds(seconds: Sequence[float], inputs: Sequence[Sequence[int]], devices: int) -> float:
    """End of the last job if free devices always take the job with the longest chain behind it.

    Args:
        seconds: of every job.
        inputs: as in :func:`longest_chain`.
        devices: at least 1; each does one job at a time.
    """
    behind = list(seconds)
    waits = [len(under) for under in inputs]
    needed_by: list[list[int]] = [[] for _ in seconds]
    for job in reversed(range(len(seconds))):
        behind[job] += max((behind[other] for other in needed_by[job]), default=0.0)
        for other in inputs[job]:
            needed_by[other].append(job)
    ready = [(-behind[job], job) for job, count in enumerate(waits) if not count]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < devices:
            _, job = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[job], job))
        now, done = heapq.heappop(running)
        for job in needed_by[done]:
            waits[job] -= 1
            if not waits[job]:
                heapq.heappush(ready, (-behind[job], job))
    return now

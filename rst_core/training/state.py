"""The state of an unfinished training run, between two epochs or between two steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from rst_core.checkpoints import State as Saved
from rst_core.checkpoints import check_alike, take
from rst_core.training.trainee import Trainee


@dataclass
class EpochProgress:
    """State of the current epoch, apart from trainee and optimiser.

    Attributes:
        totals: steps x 2, loss and accuracy of every step over all processes, on the CPU.
        overrun: how far an adversarial example left its budget so far.
        rng: state of the attack's generator after these steps; None before the first.
        seconds: time spent on them.
    """

    totals: Tensor = field(default_factory=lambda: torch.zeros(0, 2))
    overrun: float = -1.0
    rng: Tensor | None = None
    seconds: float = 0.0


@dataclass
class State:
    """Everything a run carries from one step to the next, beside trainee and optimiser.

    ``epoch`` counts finished ones, ``part`` is of the next; ``best`` score and ``kept`` contents
    are by selection; ``metrics`` have a line a finished epoch.
    """

    epoch: int = 0
    part: EpochProgress = field(default_factory=EpochProgress)
    best: dict[str, float] = field(default_factory=dict)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)


def capture(trainee: Trainee, optimiser: torch.optim.SGD, state: State) -> Saved:
    """All of a run between two steps, as a checkpoint keeps it."""
    return {
        "variables": {n: v.detach().cpu() for n, v in trainee.variables.items()},
        "buffers": {n: b.cpu() for n, b in trainee.model.named_buffers()},
        "optimiser": optimiser.state_dict(),
        "state": asdict(state),
    }


def restored(saved: Saved | None, trainee: Trainee, optimiser: torch.optim.SGD) -> State:
    """Give trainee and optimiser back what :func:`capture` took, in place; the rest is returned.

    Raises ``ValueError`` if the state is of another trainee.
    """
    if saved is None:
        return State()
    buffers = dict(trainee.model.named_buffers())
    try:
        momenta = {n: part["momentum_buffer"] for n, part in saved["optimiser"]["state"].items()}
        if any(momentum is not None for momentum in momenta.values()):
            named = dict(zip(trainee.variables, momenta.values(), strict=True))
            check_alike(named, trainee.variables)
        take(saved["variables"], trainee.variables)
        take(saved["buffers"], buffers)
        optimiser.load_state_dict(saved["optimiser"])
        return State(**saved["state"] | {"part": EpochProgress(**saved["state"]["part"])})
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"the checkpoint is of another model ({error}); delete it") from error


def changing(trainee: Trainee, optimiser: torch.optim.SGD) -> Iterator[Tensor]:
    """All tensors that a step changes."""
    yield from trainee.variables.values()
    yield from trainee.model.buffers()
    for kept in optimiser.state.values():
        if kept.get("momentum_buffer") is not None:
            yield kept["momentum_buffer"]

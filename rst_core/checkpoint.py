"""The state of an unfinished training run, between two epochs or between two steps."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rst_core.files import load_tensors, save_tensors
from rst_core.optimiser import Sgd
from rst_core.progress import say
from rst_core.trainee import Trainee

#: Of the file; raised when what is in it changes.
FORMAT = 2


@dataclass
class Part:
    """What is done of the present epoch, beside what trainee and optimiser carry.

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

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.totals)


@dataclass
class State:
    """Everything a run carries from one step to the next, beside trainee and optimiser.

    Attributes:
        epoch: finished epochs.
        part: of the next one.
        best: best score of every selection that has one.
        kept: model contents of every selection.
        metrics: a line a finished epoch.
        continued: from where sessions after the first continued.
    """

    epoch: int = 0
    part: Part = field(default_factory=Part)
    best: dict[str, float] = field(default_factory=dict)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    continued: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        steps = f" and {self.part.steps} steps" if self.part.steps else ""
        return f"after epoch {self.epoch}{steps}"


def save(path: Path, key: str, trainee: Trainee, optimiser: Sgd, state: State) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: its file.
        key: what the run must be to continue it.
        trainee: whose variables and statistics are saved.
        optimiser: whose momentum is saved.
        state: everything else.
    """
    save_tensors(
        path,
        {
            "format": FORMAT,
            "key": key,
            "variables": {n: v.detach().cpu() for n, v in trainee.variables.items()},
            "buffers": {n: b.cpu() for n, b in trainee.model.named_buffers()},
            "optimiser": optimiser.state_dict(),
            "state": asdict(state),
        },
    )


def resume(path: Path, key: str, name: str, trainee: Trainee, optimiser: Sgd) -> State:
    """Continue a checkpoint if it is of this very run, else start afresh.

    Args:
        path: its file.
        key: what it must have been saved with.
        name: of the run, for the log.
        trainee: given back its variables and statistics, in place.
        optimiser: given back its momentum, in place.
    """
    try:
        stored = load_tensors(path)
    except FileNotFoundError:
        return State()
    except ValueError as error:
        say(f"{name}: starting afresh, the checkpoint cannot be read: {error}")
        return State()
    if stored.get("format") != FORMAT:
        say(f"{name}: starting afresh, the checkpoint is of another version of this program")
        return State()
    if stored["key"] != key:
        say(f"{name}: starting afresh, the checkpoint is of other settings")
        return State()
    buffers = dict(trainee.model.named_buffers())
    with torch.no_grad():
        for variable, value in stored["variables"].items():
            trainee.variables[variable].copy_(value)
        for buffer, value in stored["buffers"].items():
            buffers[buffer].copy_(value)
    optimiser.load_state_dict(stored["optimiser"])
    state = State(**stored["state"] | {"part": Part(**stored["state"]["part"])})
    state.continued.append(str(state))
    return state

"""Which models one number is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rst_core.axes import DEFAULTS, METHOD_AXES
from workflow.artifacts.numbers.keyed import Key
from workflow.config import Experiment

#: The config's name of the attack that the paper evaluates with unless it names another [4.1].
ATTACK = "pgd20"


@dataclass(frozen=True)
class Models:
    """The models of one point of the matrix over all seeds; axes it lacks are ignored.

    Attributes:
        network: role of the network.
        dataset: role of the dataset.
        kind: the word for the model in config.yaml, such as ``rst`` or ``dense_adversarial``.
        keep_ratio: of a ticket.
        axes: how they are drawn, searched and trained, by the names of
            :data:`~rst_core.axes.METHOD_AXES`, where that is not the paper's way.
        pretrained_on: role of the dataset of a transferred RTT's dense.
        seeds: left out: the seeds of the whole matrix.
    """

    network: str
    dataset: str
    kind: str
    keep_ratio: float | None = None
    axes: Mapping[str, Any] = field(default_factory=dict)
    pretrained_on: str | None = None
    seeds: Sequence[int] | None = None

    def key(self, **how: Any) -> Key:
        """The key of a number of theirs, measured as these axes say, which may name others too."""
        own = {
            "dataset": self.dataset,
            "network": self.network,
            "model": self.kind,
            "keep_ratio": self.keep_ratio,
            "pretrained_on": self.pretrained_on,
        }
        return Key.asked({**DEFAULTS, **self.axes, **own, **how})


def first_values(experiment: Experiment) -> dict[str, Any]:
    """The first value that an experiment has on each axis of :class:`Models`."""
    return {axis.name: getattr(experiment, axis.key)[0] for axis in METHOD_AXES}

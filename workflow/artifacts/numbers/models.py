"""Which models one number is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rst_core.axes import DEFAULTS, METHOD_AXES, owned
from workflow.config import Experiment
from workflow.matrix import Matrix


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

    def columns(self, matrix: Matrix) -> dict[str, Any]:
        """The columns of the tidy frame that these models are known by."""
        roles = matrix.config.roles
        given = {
            "dataset": roles.datasets[self.dataset],
            "network": roles.networks[self.network],
            "model": self.kind,
            "keep_ratio": self.keep_ratio,
            "pretrained_on": roles.datasets.get(self.pretrained_on or ""),
        }
        columns = owned({**DEFAULTS, **self.axes, **given})
        del columns["seed"]
        return columns


def first_values(experiment: Experiment) -> dict[str, Any]:
    """The first value that an experiment has on each axis of :class:`Models`."""
    return {axis.name: getattr(experiment, axis.key)[0] for axis in METHOD_AXES}

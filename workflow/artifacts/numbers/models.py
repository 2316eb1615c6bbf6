"""Which models one number is of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
        eps: eps of search and training, in 1/255.
        pretrained_on: role of the dataset of a transferred RTT's dense.
        seeds: left out: the seeds of the whole matrix.
    """

    network: str
    dataset: str
    kind: str
    keep_ratio: float | None = None
    init: str = "signed_kaiming_constant"
    pattern: str = "element"
    method: str = "pgd7"
    eps: float = 8.0
    pretrained_on: str | None = None
    seeds: tuple[int, ...] | None = None
    score_init: str = "released"

    def axes(self, matrix: Matrix) -> dict[str, Any]:
        """The columns of the tidy frame that these models are known by."""
        roles = matrix.config.roles
        axes: dict[str, Any] = {
            "dataset": roles.datasets[self.dataset],
            "network": roles.networks[self.network],
            "init": self.init,
            "model": self.kind,
        }
        if self.kind not in ("untrained", "dense_natural"):
            axes |= {"method": self.method, "trained_eps": self.eps}
        if self.kind.startswith(("rst", "rtt", "finetuned")):
            axes |= {"keep_ratio": self.keep_ratio, "pattern": self.pattern}
            axes["score_init"] = None if self.pattern == "element" else self.score_init
        if self.kind == "rtt_transferred":
            assert self.pretrained_on is not None
            axes["pretrained_on"] = roles.datasets[self.pretrained_on]
        return axes


def first_values(experiment: Experiment) -> dict[str, Any]:
    """An experiment's seeds, and the first of its inits, patterns, search methods and eps.

    As :class:`Models` takes them.
    """
    return {
        "seeds": tuple(experiment.seeds) if experiment.seeds else None,
        "init": experiment.inits[0].value,
        "pattern": experiment.patterns[0].value,
        "score_init": experiment.score_inits[0].value,
        "method": experiment.methods[0].value,
        "eps": experiment.eps[0],
    }

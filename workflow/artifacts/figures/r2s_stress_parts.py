"""What ``r2s_stress`` shows of which experiment.

Nothing here loads pandas or matplotlib: the Snakefile reads it in every job.
"""

from __future__ import annotations

from collections.abc import Iterator

from rst_core.axes import METHOD_KEYS
from workflow.artifacts.artifact import ExperimentSlice, narrowed
from workflow.artifacts.figures.panels import ATTACK
from workflow.config import Experiment
from workflow.matrix import Matrix

EXPERIMENT, SEEDS, DENSE = "r2s_stress", "r2s_stress_seeds", "r2s_stress_dense"
#: Ways of attacking that are shown of each experiment.
_ATTACKS = {
    DENSE: ("evaluate",),
    EXPERIMENT: ("transfer", "adaptive"),
    SEEDS: ("adaptive_transfer",),
}


def members(experiment: Experiment) -> list[float]:
    """The candidate set that is judged."""
    return (experiment.candidate_sets or [experiment.keep_ratios])[0]


def on_dense(matrix: Matrix) -> list[str]:
    """The attacks by which the dense is judged, at the eps of R2S; none if it is left out."""
    dense, judged = (matrix.config.experiments[name] for name in (DENSE, EXPERIMENT))
    eps = judged.eps[0]
    return [entry.attack for entry in dense.evaluate if dense.models and eps in entry.sizes(eps)]


def slices(matrix: Matrix) -> Iterator[ExperimentSlice]:
    """One method and candidate set of R2S, under every attack on the set and one on a ticket.

    Beside it the dense under every attack.
    """
    judged = matrix.config.experiments[EXPERIMENT]
    for name, ways in _ATTACKS.items():
        experiment = matrix.config.experiments[name]
        first = {a: getattr(judged, a)[:1] for a in METHOD_KEYS}
        shown = narrowed(
            experiment,
            **first,
            networks=judged.networks,
            datasets=judged.datasets,
            candidate_sets=[members(judged)],
            keep_ratios=members(judged),
            models=["dense_adversarial" if name == DENSE else "rst"],
            feature_distance=[],
        )
        eps = judged.eps[0]
        for how in ("evaluate", "transfer", "adaptive", "adaptive_transfer"):
            shown[how] = [
                m.at(eps)
                for m in getattr(experiment, how)
                if how in ways
                and eps in m.sizes(eps)
                and (how != "transfer" or m.attack == ATTACK)
                and getattr(m, "to", "tickets") == ("other_seeds" if name == SEEDS else "tickets")
            ]
        yield ExperimentSlice(name, experiment.model_copy(update=shown))

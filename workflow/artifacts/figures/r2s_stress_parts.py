"""What ``r2s_stress`` shows of which experiment.

Nothing here loads pandas or matplotlib: the Snakefile reads it in every job.
"""

from __future__ import annotations

from collections.abc import Iterator

from rst_core.axes import METHOD_KEYS
from workflow.artifacts.artifact import ExperimentSlice, narrowed
from workflow.artifacts.numbers.models import ATTACK
from workflow.config_attacks import ATTACKED
from workflow.matrix import Matrix

EXPERIMENT, SEEDS, DENSE = "r2s_stress", "r2s_stress_seeds", "r2s_stress_dense"
#: Ways of attacking that are shown of each experiment.
_ATTACKS = {
    DENSE: ("evaluate",),
    EXPERIMENT: ("transfer", "adaptive"),
    SEEDS: ("adaptive_transfer",),
}


def on_dense(matrix: Matrix) -> list[str]:
    """The attacks on the dense, at the eps of R2S; none if it is left out."""
    dense, r2s = (matrix.config.experiments[name] for name in (DENSE, EXPERIMENT))
    eps = r2s.eps[0]
    return [entry.attack for entry in dense.evaluate if dense.models and eps in entry.sizes(eps)]


def slices(matrix: Matrix) -> Iterator[ExperimentSlice]:
    """One method and candidate set of R2S, under every attack on the set and one on a ticket.

    Beside it the dense under every attack.
    """
    r2s = matrix.config.experiments[EXPERIMENT]
    eps, members = r2s.eps[0], r2s.candidate_set
    for name, ways in _ATTACKS.items():
        experiment = matrix.config.experiments[name]
        first = {a: getattr(r2s, a)[:1] for a in METHOD_KEYS}
        shown = narrowed(
            experiment,
            **first,
            networks=r2s.networks,
            datasets=r2s.datasets,
            candidate_sets=[list(members)],
            keep_ratios=members,
            models=["dense_adversarial" if name == DENSE else "rst"],
            feature_distance=[],
        )
        for how in ATTACKED:
            shown[how] = [
                m.at(eps)
                for m in getattr(experiment, how)
                if how in ways
                and eps in m.sizes(eps)
                and (how != "transfer" or m.attack == ATTACK)
                and getattr(m, "to", "tickets") == ("other_seeds" if name == SEEDS else "tickets")
            ]
        yield ExperimentSlice(name, experiment.model_copy(update=shown))

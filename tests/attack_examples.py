"""One small, valid spec of every method, for tests that go over all of them."""

from __future__ import annotations

from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Combination, Norm

_PGD = {"steps": 3, "step_size": 2.0, "random_start": True}

EXAMPLES: dict[AttackMethod, AttackSpec] = {
    spec.method: spec
    for spec in [
        *(
            AttackSpec(name=method.value, method=method, norm=Norm.LINF, eps=4.0, **_PGD)
            for method in (
                AttackMethod.PGD,
                AttackMethod.EOT,
                AttackMethod.ENSEMBLE,
                AttackMethod.CW_INF,
            )
        ),
        AttackSpec(
            name="cw_l2",
            method=AttackMethod.CW_L2,
            norm=Norm.L2,
            steps=20,
            learning_rate=0.05,
            search_steps=1,
            constant=1.0,
        ),
        *(
            AttackSpec(name=method.value, method=method, norm=Norm.LINF, eps=4.0)
            for method in (
                AttackMethod.AUTO_ATTACK,
                AttackMethod.AUTO_ATTACK_RAND,
                AttackMethod.AUTO_ATTACK_EXPECTED,
            )
        ),
        AttackSpec(
            name="apgd",
            method=AttackMethod.APGD,
            norm=Norm.LINF,
            eps=4.0,
            steps=10,
            restarts=2,
            combine=Combination.PROBABILITIES,
        ),
        AttackSpec(name="square", method=AttackMethod.SQUARE, norm=Norm.LINF, eps=4.0, steps=30),
        AttackSpec(
            name="bandits",
            method=AttackMethod.BANDITS,
            norm=Norm.LINF,
            eps=4.0,
            steps=15,
            step_size=1.0,
            learning_rate=100.0,
            probe=0.1,
            exploration=1.0,
            tiles=4,
        ),
    ]
}

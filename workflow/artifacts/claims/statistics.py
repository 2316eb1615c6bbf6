"""Tests of comparisons and of quantified claims, at a stated error rate over all claims.

*One comparison.* A difference has two errors: over seeds, from the deviation of the seeds' means,
and over test images, from the images' mean differences; both are paired where models share seeds
and images. Three seeds leave two degrees of freedom, so variances over seeds are pooled over a
claim's comparisons as far as these are alike: the moderated t of Smyth (Stat. Appl. Genet. Mol.
Biol. 3, 2004), whose prior is the claim's own spread of variances. Comparisons that share a model
are not independent, so the degrees of freedom are at most those of their correlation (Box, 1954).

*A claim.* That at least u of m tests come out is supported by the partial conjunction p-value of
Benjamini and Heller (Biometrics 64, 2008), (m - u + 1) times the u-th smallest; that it is false
in the same way, since then at least m - u + 1 fail. "Every" needs no correction to be supported
and one for m looks to be contradicted, "some" the other way round.

*All claims.* Of "true" and "false" exactly one is a true null hypothesis for each claim, so the
procedure of Benjamini and Hochberg on the smaller of a claim's two p-values keeps the expected
share of wrong verdicts among those that decide at the error rate.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import NamedTuple

import numpy as np
from scipy import optimize, special, stats

from workflow.artifacts.claims.numbers import Numbers, Vector
from workflow.artifacts.claims.tree import Compiled, Leaf, Tree

#: Power at which a smallest detectable effect is stated, and made-up runs that measure it.
POWER, RUNS = 0.8, 200
#: The largest effect among which it is looked for: all points of an accuracy.
_MOST = 100.0


@dataclass(frozen=True)
class Estimates:
    """A claim's comparisons, one entry each; NaN where nothing was measured.

    Attributes:
        value: the difference, mean over seeds.
        variance: over the seeds' differences; of runs, runs by comparisons.
        seeds: how many.
        images_error: standard error over test images; 0 for what is counted, not measured.
        loads: of :func:`loads_of`, comparisons by models.
    """

    value: Vector
    variance: Vector
    seeds: Vector
    images_error: Vector
    loads: Vector

    def errors(self) -> tuple[Vector, Vector]:
        """Standard errors with their degrees of freedom; NaN where there are not two seeds."""
        variance, dof = moderated(self.variance, self.seeds - 1, self.loads)
        with np.errstate(divide="ignore"):
            error = np.sqrt(variance / self.seeds + self.images_error**2)
        counted = self.images_error == 0
        return np.where(counted, 0.0, error), np.where(counted, inf, dof)


def moderated(variance: Vector, dof: Vector, loads: Vector) -> tuple[Vector, Vector]:
    """Variances over seeds, drawn towards the claim's own by as much as they are alike.

    Returns:
        Variances and their degrees of freedom, shaped as ``variance``: one run's, or runs by
        comparisons; NaN where ``dof`` is below 1.
    """
    posterior, freedom = np.full((2, *variance.shape), np.nan)
    known = np.flatnonzero((dof >= 1) & np.isfinite(np.atleast_2d(variance)).all(0))
    if len(known):
        found, d, w = variance[..., known], dof[known], loads[known]
        scale = np.maximum((w**2).sum(1), 1e-12)
        priors = np.apply_along_axis(_prior, -1, found / scale, d)
        prior, prior_dof = priors[..., :1], priors[..., 1:]
        with np.errstate(invalid="ignore"):
            share = np.where(np.isinf(prior_dof), 1.0, prior_dof / (prior_dof + d))
        correlation = (w @ w.T) / np.sqrt(np.outer(scale, scale))
        together = d.mean() * len(d) ** 2 / (correlation**2).sum()
        posterior[..., known] = share * prior * scale + (1 - share) * found
        freedom[..., known] = np.minimum(prior_dof + d, np.maximum(d, together))
    return posterior, freedom


def _prior(variance: Vector, dof: Vector) -> tuple[float, float]:
    """Mean and degrees of freedom of the distribution that variances come from [Smyth 2004]."""
    if len(variance) < 2:
        return 0.0, 0.0
    if not variance.any():
        return 0.0, inf
    logs = np.log(np.maximum(variance, 1e-5 * np.median(variance[variance > 0])))
    logs += np.log(dof / 2) - special.digamma(dof / 2)
    spread = logs.var(ddof=1) - special.zeta(2, dof / 2).mean()  # the trigamma function
    if spread <= 1e-3:
        return float(np.average(variance, weights=dof)), inf
    half = np.exp(optimize.brentq(lambda x: special.zeta(2, np.exp(x)) - spread, -12, 12))
    return float(np.exp(logs.mean() + special.digamma(half) - np.log(half))), 2 * float(half)


def estimates(leaves: Sequence[Leaf], numbers: Numbers, plan: Numbers) -> Estimates:
    """What was measured of a claim's comparisons."""
    found = np.array([_estimate(leaf, numbers, plan) for leaf in leaves]).reshape(-1, 4).T
    return Estimates(found[0], found[1], found[2], found[3], loads_of(leaves))


def loads_of(leaves: Sequence[Leaf]) -> Vector:
    """Weights of the models in each comparison, comparisons by models.

    What a model owes to its seed it owes under every attack: two attacks on one pair of models are
    no two independent comparisons. Numbers of one model that are compared with each other stand for
    themselves, as what they share does not count.
    """
    sides: list[list[tuple[float, Hashable]]] = []
    for leaf in leaves:
        models = [(weight, address.models) for weight, address in leaf.measured]
        distinct = len({one for _, one in models}) == len(models)
        sides.append([*models] if distinct else [*leaf.measured])
    columns = {one: i for i, one in enumerate(dict.fromkeys(c for side in sides for _, c in side))}
    loads = np.zeros((len(leaves), len(columns)))
    for leaf, side in zip(leaves, sides, strict=True):
        for weight, one in side:
            loads[leaf.number, columns[one]] += weight
    return loads


def seeds_of(leaf: Leaf, numbers: Numbers, plan: Numbers) -> list[int]:
    """The seeds of which all planned rows of a comparison are there."""
    counts = [(numbers.counts(a), plan.counts(a)) for _, a in leaf.measured]
    return sorted(
        set.intersection(
            *({seed for seed in all_ if has.get(seed, 0) >= all_[seed]} for has, all_ in counts)
        )
    )


def _estimate(leaf: Leaf, numbers: Numbers, plan: Numbers) -> tuple[float, ...]:
    """Value, variance, number of seeds that have all planned rows, and error over images."""
    seeds = seeds_of(leaf, numbers, plan)
    if not seeds:
        return np.nan, np.nan, 0, np.nan
    samples = [[(w, numbers.sample(a, seed)) for w, a in leaf.measured] for seed in seeds]
    total = min(len(s.images) for one in samples for _, s in one)
    by_seed = np.array([sum(w * s.images[:total] for w, s in one) for one in samples])
    values = by_seed.mean(1)
    error = np.sqrt(sum((w * s.error) ** 2 for one in samples for w, s in one) / len(seeds))
    if total > 1:
        error = max(by_seed.mean(0).std(ddof=1) / np.sqrt(total), 100 / total)
    variance = values.var(ddof=1) if len(values) > 1 else np.nan
    constant = sum(w * a.constant for w, a in leaf.terms)
    return values.mean() + constant, variance, len(values), error


# -- from comparisons to a claim ------------------------------------------------------------


class Tail(NamedTuple):
    """P-values, the comparisons that they come from, and by how much those' were multiplied."""

    p: Vector
    leaf: Vector
    factor: Vector


class Evidence(NamedTuple):
    """For and against a claim."""

    support: Tail
    contradiction: Tail

    @property
    def stronger(self) -> Tail:
        """The one with the smaller p-value, of a single run."""
        return min(self, key=lambda tail: tail.p)


def bounds_of(leaves: Sequence[Leaf]) -> Vector:
    """Lower bounds, and upper bounds."""
    return np.array([(f.at_least, f.at_most) for f in leaves]).reshape(-1, 2).T


def evidence(claim: Compiled, value: Vector, errors: tuple[Vector, Vector]) -> Evidence:
    """The p-values of a claim; comparisons without an error speak for nothing.

    A claim of which a whole part has no place cannot be supported.

    Args:
        value: of each comparison, of one run or of runs by comparisons.
        errors: their standard errors and degrees of freedom.
    """
    assert claim.tree is not None
    low, high = bounds_of(claim.leaves)
    inside = _inside(value, errors, low, high)
    outside = np.minimum(_tail(low - value, *errors), _tail(value - high, *errors))
    outside *= np.where(np.isfinite(low) & np.isfinite(high), 2.0, 1.0)
    return Evidence(
        conjunction(
            claim.tree, inside if claim.supportable else np.ones_like(inside), support=True
        ),
        conjunction(claim.tree, np.minimum(1.0, outside), support=False),
    )


def _inside(value: Vector, errors: tuple[Vector, Vector], low: Vector, high: Vector) -> Vector:
    """P-values for lying inside two bounds: two one-sided tests."""
    return np.maximum(_tail(value - low, *errors), _tail(high - value, *errors))


def _tail(distance: Vector, error: Vector, dof: Vector) -> Vector:
    """How likely a distance as large is if the truth lies on the bound."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p: Vector = np.nan_to_num(stats.t.sf(distance / error, dof), nan=1.0)
        return p


def conjunction(tree: Tree, p: Vector, support: bool) -> Tail:
    """The partial conjunction of p-values, for as many tests as a tree needs, or against it."""
    if isinstance(tree, Leaf):
        one = p[..., tree.number]
        return Tail(one, np.full(one.shape, tree.number), np.ones(one.shape))
    below = [conjunction(child, p, support) for child in tree.children]
    stacked = [np.stack(column, axis=-1) for column in zip(*below, strict=True)]
    need = tree.need if support else len(below) - tree.need + 1
    factor = len(below) - need + 1
    position = np.argsort(stacked[0], axis=-1, kind="stable")[..., need - 1 : need]
    found = Tail(*(np.take_along_axis(column, position, axis=-1)[..., 0] for column in stacked))
    return Tail(np.minimum(1.0, factor * found.p), found.leaf, factor * found.factor)


def decided(p: Sequence[float], rate: float) -> tuple[list[bool], float]:
    """Which claims are decided at a false discovery rate, and the p-value that decides."""
    if not p:
        return [], rate
    verdicts = stats.false_discovery_control(p) <= rate
    return list(map(bool, verdicts)), rate * max(int(verdicts.sum()), 1) / len(p)


# -- what would decide ------------------------------------------------------------------------


def aimed(leaves: Sequence[Leaf], effect: float) -> Vector:
    """Values inside the stated bounds by an effect, or in their middle.

    A comparison that stands twice ("not worse, or not ahead") has one value, by its first bounds.
    """
    first = {leaf.terms: leaf for leaf in reversed(leaves)}
    low, high = np.array([first[leaf.terms].stated for leaf in leaves]).T
    inside = np.minimum(effect, (high - low) / 2)
    return np.asarray(np.where(np.isfinite(low), low + inside, high - inside))


def detectable(claim: Compiled, found: Estimates, level: float) -> float | None:
    """By how much all comparisons must lie inside their bounds to be supported with 80 % power.

    Measured on made-up runs, in which comparisons that share a model share its noise, and
    variances are estimated anew. To a hundredth; None if the middle of two bounds, or 100,
    is not inside enough.
    """
    tree = claim.tree
    assert tree is not None
    random, shape = np.random.default_rng(0), (int(found.seeds.min()), found.loads.shape[1])
    variance, _ = moderated(found.variance, found.seeds - 1, found.loads)
    unit = found.loads / np.maximum(np.linalg.norm(found.loads, axis=1, keepdims=True), 1e-12)
    noise = [(random.normal(size=shape), random.normal(size=shape[1])) for _ in range(RUNS)]
    of_seeds, of_images = (np.array(part) @ unit.T for part in zip(*noise, strict=True))
    seeds = of_seeds * np.sqrt(variance)
    off = seeds.mean(1) + of_images * found.images_error
    errors = replace(found, variance=seeds.var(1, ddof=1)).errors()

    def enough(effect: float) -> bool:
        p = _inside(aimed(claim.leaves, effect) + off, errors, *bounds_of(claim.leaves))
        return bool(np.mean(conjunction(tree, p, support=True).p <= level) >= POWER)

    if not enough(_MOST) or enough(0.0):
        return 0.0 if enough(_MOST) else None
    return float(optimize.bisect(lambda x: 0.5 - enough(x), 0.0, _MOST, xtol=0.005)) + 0.005

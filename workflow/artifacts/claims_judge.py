"""A claim's test as a tree of comparisons with margins, bounds on them, and a verdict.

The margin of a comparison is how far its difference lies on the good side of the bound. A test at
m places of which k must come out has the k-th largest of the places' margins: it comes out if
and only if this margin is not negative. Confidence bounds pass through the same way:

- if the k-th largest of the lower bounds lies above the true margin, one of the m - k + 1 places
  at or below it has its lower bound above its own truth: lower bounds at alpha / (m - k + 1);
- likewise upper bounds at alpha / k.

So "at every place" needs no correction to hold and one for m places to fail, "at some place" the
other way round, and looking at more places never makes a verdict clear by chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workflow.artifacts.claims_data import (
    Axes,
    Claim,
    Claims,
    Comparison,
    OfExperiment,
    Order,
    Quantified,
    Range,
    Test,
)
from workflow.artifacts.claims_error import Estimate, Term, estimate
from workflow.artifacts.claims_labels import shown
from workflow.artifacts.claims_numbers import Address, Numbers, addresses, keep_ratios
from workflow.matrix import Matrix

#: One side of a two-sided interval of 95 %.
ALPHA = 0.025


@dataclass(frozen=True)
class Place:
    """One comparison at one place.

    Attributes:
        label: what is compared, and where.
        roles: roles of datasets and networks that take part.
        comparison: the comparison.
        bounds: lowest and highest allowed difference, tolerance included.
        sides: weights and the numbers whose means they weigh.
        in_config: whether this config has all of its numbers.
        absent: the numbers that it has not.
        seeds_planned: seeds that will have all of its numbers.
        estimate: the measured difference; None until its cells are there.
        flags: flags of the cells behind it.
    """

    label: str
    roles: frozenset[tuple[str, str]]
    comparison: Comparison
    bounds: tuple[float, float]
    sides: tuple[tuple[float, tuple[Address, ...]], ...]
    in_config: bool
    absent: tuple[Address, ...] = ()
    seeds_planned: int = 0
    estimate: Estimate | None = None
    flags: tuple[str, ...] = ()

    @property
    def margin(self) -> float:
        """How far the difference is on the good side of its nearer bound."""
        assert self.estimate is not None
        # Differences of percentages are multiples of 1e-4 or so: rounding hides float noise.
        lowest, highest = self.bounds
        value = self.estimate.value
        return round(min(value - lowest, highest - value), 9)

    def lower(self, alpha: float) -> float:
        """The margin is at least this, but for a chance of ``alpha``."""
        assert self.estimate is not None
        return self.margin - self.estimate.half_width(alpha)

    def upper(self, alpha: float) -> float:
        """The margin is at most this, but for a chance of ``alpha``."""
        assert self.estimate is not None
        return self.margin + self.estimate.half_width(alpha)

    @property
    def deciding(self) -> Place:
        """Itself."""
        return self

    def places(self) -> Iterator[Place]:
        """Itself."""
        yield self

    def present(self) -> Place | None:
        """Itself, if this config has its numbers."""
        return self if self.in_config else None


@dataclass(frozen=True)
class Group:
    """Several tests of which ``wanted`` must come out."""

    quantified: Quantified | None
    tests: tuple[Place | Group, ...]

    @property
    def wanted(self) -> int:
        """How many tests must come out."""
        return self.quantified.wanted(len(self.tests)) if self.quantified else len(self.tests)

    @property
    def deciding(self) -> Place:
        """The place whose margin is the test's."""
        ranked = sorted(self.tests, key=lambda t: t.margin, reverse=True)
        return ranked[self.wanted - 1].deciding

    @property
    def margin(self) -> float:
        """The ``wanted``-th largest margin."""
        return self.deciding.margin

    def lower(self, alpha: float) -> float:
        """The margin is at least this, but for a chance of ``alpha``."""
        share = alpha / (len(self.tests) - self.wanted + 1)
        return sorted((t.lower(share) for t in self.tests), reverse=True)[self.wanted - 1]

    def upper(self, alpha: float) -> float:
        """The margin is at most this, but for a chance of ``alpha``."""
        share = alpha / self.wanted
        return sorted((t.upper(share) for t in self.tests), reverse=True)[self.wanted - 1]

    def places(self) -> Iterator[Place]:
        """All comparisons below."""
        for test in self.tests:
            yield from test.places()

    def present(self) -> Group | None:
        """The same with what this config has; None if it has nothing."""
        tests = tuple(found for test in self.tests if (found := test.present()))
        return Group(self.quantified, tests) if tests else None


@dataclass(frozen=True)
class Judge:
    """Turns tests into trees. ``plan`` is what the claim's experiments will have."""

    claims: Claims
    claim: Claim
    matrix: Matrix
    plan: Numbers
    numbers: Numbers

    def tree(self, test: Test, context: dict[str, Any] | None = None) -> Place | Group:
        """The test at all of its places."""
        context = {**(context or {}), **test.at.given()}
        if isinstance(test, Comparison):
            return self._place(test, context)
        if isinstance(test, Order):
            return Group(None, tuple(self._place(c, context) for c in test.comparisons()))
        places = [{**context, **place} for place in self._over(test)]
        return Group(test, tuple(self.tree(t, place) for place in places for t in test.tests))

    def resolve(self, value: Any) -> Any:
        """The keep ratios that a range or an experiment stands for here; others as they are."""
        if isinstance(value, Range | OfExperiment):
            return keep_ratios(value, self.claim, self.matrix)
        return value

    def _over(self, test: Quantified) -> Iterator[dict[str, Any]]:
        values = [keep_ratios(v, self.claim, self.matrix) for v in test.over.values()]
        for combination in itertools.product(*values):
            place = dict(zip(test.over, combination, strict=True))
            source = place.get("source_keep_ratio")
            if source is None or source != place.get("keep_ratio"):
                yield Axes.model_validate(place).given()

    def _place(self, test: Comparison, context: dict[str, Any]) -> Place:
        times = self.claims.amount(test.times)
        sides = [(1.0, side) for side in test.of] + [(-times, side) for side in test.minus]
        found = [(w, addresses(side, context, self.claim, self.matrix)) for w, side in sides]
        absent = tuple(a for _, several in found for a in several if not self.plan.get(a))
        in_config = not absent and all(several for _, several in found)
        tolerance = self.claims.amount(test.tolerance)
        lowest = float("-inf") if test.at_least is None else self.claims.amount(test.at_least)
        highest = float("inf") if test.at_most is None else self.claims.amount(test.at_most)
        merged = [{**context, **side.given()} for _, side in sides]
        seeds = self._seeds(found) if in_config else set()
        terms = self._terms(found, seeds)
        numbers = [n for _, seeds in terms for one in seeds for n in one]
        return Place(
            label=shown(test, times, context, self.resolve),
            roles=frozenset(role for side in merged for role in _roles(side)),
            comparison=test,
            bounds=(lowest - tolerance, highest + tolerance),
            sides=tuple((weight, tuple(several)) for weight, several in found),
            in_config=in_config,
            absent=absent,
            seeds_planned=len(seeds),
            estimate=estimate(terms) if terms else None,
            flags=tuple(sorted({n.flags for n in numbers if n.flags})),
        )

    def _seeds(self, found: list[tuple[float, list[Address]]]) -> set[int]:
        """The seeds that will have all of these numbers."""
        return set.intersection(*(set(self.plan[a]) for _, several in found for a in several))

    def _terms(self, found: list[tuple[float, list[Address]]], seeds: set[int]) -> list[Term]:
        """What was measured, for the seeds that have all of it; empty if none has."""
        every = [address for _, several in found for address in several]
        complete = [
            seed
            for seed in sorted(seeds)
            if all(
                len(self.numbers.get(a, {}).get(seed, ())) >= len(self.plan[a][seed]) for a in every
            )
        ]
        if not complete:
            return []
        return [
            (weight / len(several), [self.numbers[a][seed] for seed in complete])
            for weight, several in found
            for a in several
        ]


def _roles(axes: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield ("datasets", axes.get("dataset", "cifar10"))
    yield ("networks", axes.get("network", "resnet18"))
    if axes.get("model") == "rtt_transferred":
        yield ("datasets", axes["pretrained_on"])

"""Verdicts of the paper's own numbers: the printed ones, and what they imply.

Every printed number is a linear statement about numbers of single models, known up to its
rounding: R2S's natural accuracy is the mean over its tickets, so two candidate sets that differ by
one ticket determine that ticket. The least and the largest value of a comparison that all
statements allow are linear programs.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterator
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd
import yaml
from scipy import optimize, sparse

from workflow.artifacts.claims.definitions import read_claims
from workflow.artifacts.claims.numbers import Address, Numbers, planned
from workflow.artifacts.claims.statistics import conjunction
from workflow.artifacts.claims.tree import Compiled, Leaf, Terms, Tree, compiled, group
from workflow.artifacts.numbers.keyed import Key
from workflow.artifacts.numbers.models import Models
from workflow.artifacts.numbers.selection import ROBUST, transferred
from workflow.artifacts.numbers.summary import PAPER, printed
from workflow.artifacts.tables.keys import ColumnKey, RowKey
from workflow.artifacts.tables.tabulation import PAPER_CANDIDATES, selector
from workflow.config import read_config
from workflow.matrix import Matrix

_TABLES = ("fig1", *(f"table{n}" for n in (1, 2, 3, 4, 5, 6, 8, 9)))
#: Intervals up to this width come from rounding alone.
ROUNDING = 0.3
_GAP = "pgd20-eps8/above/rst@0.01-0.2"
#: Not so in the table that it quotes.
_MISPRINTED = {"cifar10/cw_inf-eps8/above/resnet18/dense"}

Fact = tuple[Terms, float, float]


@cache
def papers_plan() -> Numbers:
    """The numbers of config.yaml's matrix, whatever config runs."""
    text = (PAPER.parents[1] / "config.yaml").read_text(encoding="utf-8")
    return planned(Matrix(read_config(yaml.safe_load(text))))


def facts() -> Iterator[Fact]:
    """What the paper prints about accuracies: a sum of numbers between two values."""
    for name in _TABLES:
        for row, column, low, high in _printed(name):
            yield ((1.0, _address(row, column)),), low, high
    for row, column, low, high in itertools.chain(_printed("fig7"), _printed("table7")):
        made_on = _made_on(row, column)
        yield ((1.0, Address((made_on,))),), low, high
        if row == column:  # the same, in a row of other seeds
            beside = tuple(key._replace(targets="other_seeds") for key in made_on)
            yield ((1.0, Address((beside,))),), low, high
    ends = []
    for row, column, low, high in _printed("text"):
        difference = re.fullmatch(r"([\w/.-]+)/(above|below)/([\w/.@+-]+)", column)
        if column.startswith(_GAP):
            ends += [low, high]
        elif difference and "/" in row and column not in _MISPRINTED and "most" not in column:
            measure, way, other = difference.groups()
            sign = 1.0 if way == "above" else -1.0
            yield ((sign, _address(row, measure)), (-sign, _address(other, measure))), low, high
    (gaps,) = (c for c in read_claims().claims if c.id == "finetuning_gap")
    for leaf in compiled(read_claims(), gaps.test, papers_plan()).leaves:
        yield leaf.terms, min(ends), max(ends)


def _printed(name: str) -> Iterator[tuple[str, str, float, float]]:
    """Accuracies: row, column, and the least and largest value that round to what is printed."""
    for (row, column), text in printed(PAPER / f"{name}.csv").items():
        if not column.startswith("parameters"):
            half, value = 0.5 * 10.0 ** -len(text.partition(".")[2]), float(text)
            yield row, column, value - half, value + half


def _address(row_text: str, column_text: str) -> Address:
    """What a table shows in such a row and column, of the first experiment with such models."""
    row, column, matrix = RowKey.parse(row_text), ColumnKey.parse(column_text), papers_plan().matrix
    if row.switches and not row.keep_ratios:
        row = replace(row, keep_ratios=PAPER_CANDIDATES)
    axes = {"models": row.kind, "networks": row.network, "datasets": column.dataset}
    experiment = next(
        experiment
        for experiment in matrix.config.experiments.values()
        if all(value in getattr(experiment, axis) for axis, value in axes.items())
    )
    found = selector(row, column, experiment, matrix)
    assert found is not None
    return Address((found.keys,))


def _made_on(source: str, column: str) -> tuple[Key, ...]:
    """Of a model the accuracy on images made on another: Figure 7, and Table 7 beside it."""

    def models(word: str) -> Models:
        kind, ratio = (word, None) if word.startswith("dense") else ("rst", float(word))
        return Models("resnet18", "cifar10", kind, ratio)

    targets = "tickets_and_dense" if source.startswith("dense") else "tickets"
    if source == "same_ratio_other_seed":
        source, targets = column, "other_seeds"
    return transferred(models(source), models(column), ROBUST, targets).keys


# -- what the facts imply ---------------------------------------------------------------------


def weights(terms: Terms) -> tuple[dict[Key, float], float]:
    """Terms as weights of single numbers and a constant; no weights if they are not linear."""
    found: dict[Key, float] = {}
    for weight, address in terms:
        for key in address.keys:
            found[key] = found.get(key, 0.0) + weight / len(address.keys)
    linear = all(len(address.groups) <= 1 for _, address in terms)
    constant = sum(weight * address.constant for weight, address in terms)
    return {k: w for k, w in found.items() if abs(w) > 1e-12} if linear else {}, constant


class System:
    """All facts as linear inequalities, facts by ``columns``, over numbers from 0 to 100."""

    def __init__(self, facts: list[Fact]) -> None:
        rows = [(weights(terms)[0], low, high) for terms, low, high in facts]
        known = dict.fromkeys(key for row in rows for key in row[0])
        for key in [key for key in known if key.measure == "robust"]:
            # No attack leaves more than the natural accuracy.
            natural = Key.of(key._asdict() | {"measure": "natural"})
            rows.append(({natural: 1.0, key: -1.0}, 0.0, 100.0))
        self.columns = {
            k: i for i, k in enumerate(dict.fromkeys(k for row in rows for k in row[0]))
        }
        entries = [(w, i, self.columns[k]) for i, row in enumerate(rows) for k, w in row[0].items()]
        values, where, which = zip(*entries, strict=True)
        shape = (len(rows), len(self.columns))
        self.matrix = sparse.coo_array((values, (where, which)), shape).tocsr()
        self.low, self.high = (np.array([row[n] for row in rows]) for n in (1, 2))
        joined = abs(self.matrix.T) @ abs(self.matrix)
        self._parts = sparse.csgraph.connected_components(joined)[1]

    def bounds(self, terms: Terms) -> tuple[float, float] | None:
        """The least and the largest value that all facts allow; None if one number is in none.

        Raises:
            ValueError: if the facts contradict each other.
        """
        wanted, constant = weights(terms)
        if not wanted or not wanted.keys() <= self.columns.keys():
            return None
        cost = np.zeros(len(self.columns))
        cost[[self.columns[key] for key in wanted]] = list(wanted.values())
        own = np.isin(self._parts, self._parts[cost != 0])  # what the numbers hang together with
        rows = np.flatnonzero(abs(self.matrix) @ own)
        limits = optimize.LinearConstraint(
            self.matrix[rows][:, np.flatnonzero(own)], self.low[rows], self.high[rows]
        )
        ends = []
        for sign in (1, -1):
            box = optimize.Bounds(0, 100)
            solved = optimize.milp(sign * cost[own], constraints=limits, bounds=box)
            if not solved.success:
                raise ValueError(f"the paper's numbers contradict each other: {solved.message}")
            ends.append(sign * float(solved.fun) + constant)
        return ends[0], ends[1]


@cache
def system() -> System:
    """The paper's facts."""
    return System(list(facts()))


# -- verdicts -----------------------------------------------------------------------------------


class PaperVerdict(NamedTuple):
    """What the paper's own numbers say of a claim: supports, contradicts or silent.

    ``known`` counts the comparisons that they settle; ``intervals`` has the least and the largest
    value that they allow, by comparison.
    """

    word: str
    known: int
    intervals: pd.DataFrame


def paper_verdict(claim: Compiled) -> PaperVerdict:
    """A claim of the paper's matrix on the paper's own numbers; what is open says nothing."""
    assert claim.tree is not None
    known = [(leaf, interval) for leaf in claim.leaves if (interval := _interval(leaf.terms))]
    states = {leaf: came for leaf, i in known if (came := state(leaf, i)) is not None}
    # A comparison that comes out has a p-value of 0 for, one that does not has it against.
    p = [[float(states.get(leaf) is not came) for leaf in claim.leaves] for came in (True, False)]
    settled = _settled(claim.tree, states)
    word = "supports" if settled and conjunction(settled, np.array(p[0]), True).p == 0 else "silent"
    word = "contradicts" if conjunction(claim.tree, np.array(p[1]), False).p == 0 else word
    ends = {leaf.place: interval for leaf, interval in known}
    shown = pd.DataFrame.from_dict(ends, orient="index", columns=["paper_low", "paper_high"])
    return PaperVerdict(word, len(states), shown)


@cache
def _interval(terms: Terms) -> tuple[float, float] | None:
    return system().bounds(terms)


def state(leaf: Leaf, interval: tuple[float, float]) -> bool | None:
    """Whether a comparison comes out, rounding in its favour; None if that is open."""
    low, high = interval
    if high < leaf.at_least - 1e-6 or low > leaf.at_most + 1e-6:
        return False
    slack = 1e-6 + (high - low if high - low <= ROUNDING else 0.0)
    return True if leaf.at_least - slack <= low and high <= leaf.at_most + slack else None


def _settled(tree: Tree, known: Container[Leaf]) -> Tree | None:
    """The tree without what is open."""
    if isinstance(tree, Leaf):
        return tree if tree in known else None
    return group(tree.share, [_settled(child, known) for child in tree.children])

"""Every claim of claims.yaml on whatever cells exist: supported, contradicted, or undecided."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from rst_core.identity import Cell
from rst_core.storage import write_text
from workflow.artifacts.claims import page
from workflow.artifacts.claims.definitions import Claim, Claims, read_claims
from workflow.artifacts.claims.numbers import Numbers, planned
from workflow.artifacts.claims.paper import paper_verdict, papers_plan
from workflow.artifacts.claims.statistics import (
    Tail,
    bounds_of,
    decided,
    detectable,
    estimates,
    evidence,
    seeds_of,
)
from workflow.artifacts.claims.tree import Leaf, compiled
from workflow.artifacts.numbers.frame import read_cells
from workflow.artifacts.numbers.summary import stands_in
from workflow.artifacts.numbers.suspicion import carried_flags
from workflow.matrix import Matrix

WORDS = ("supported", "contradicted", "undecided", "without cells")


class MeasuredClaim:
    """A claim on what was measured, before all claims together decide about its p-value.

    Attributes:
        tree: on what the config has; ``complete`` on the paper's own matrix.
        paper: the paper's own verdict.
        places: its comparisons, a row each.
        evidence: None if nothing was measured.
        counted: whether it is about numbers without an error.
    """

    def __init__(self, claim: Claim, claims: Claims, numbers: Numbers, plan: Numbers) -> None:
        self.claim, self.numbers, self.plan = claim, numbers, plan
        self.tree = compiled(claims, claim.test, plan)
        self.complete = compiled(claims, claim.test, papers_plan())
        self.paper = paper_verdict(self.complete)
        self.estimates = estimates(self.tree.leaves, numbers, plan)
        error, dof = self.estimates.errors()
        places = pd.DataFrame(self.tree.leaves, columns=Leaf._fields).assign(
            claim=claim.id,
            effect=self.estimates.value,
            error=error,
            degrees_of_freedom=dof,
            images_error=self.estimates.images_error,
            seeds=self.estimates.seeds,
        )
        places = places.drop(columns=["number", "terms", "stated"])
        self.places = places.join(self.paper.intervals, on="place")
        self.counted = bool((error == 0).all())
        measured = np.isfinite(self.estimates.value).any()
        self.evidence = (
            evidence(self.tree, self.estimates.value, (error, dof)) if measured else None
        )

    def row(self, verdict: str, level: float) -> dict[str, Any]:
        """What the file and the page say of it."""
        rows = (row for k in self.tree.keys for r in self.numbers.by_seed(k).values() for row in r)
        planned_seeds = [len(seeds_of(leaf, self.plan, self.plan)) for leaf in self.tree.leaves]
        about = {
            "claim": self.claim.id,
            "verdict": verdict,
            "coverage": self.tree.coverage(self.complete, self.plan) or None,
            "places": max(len(self.complete.leaves), len(self.tree.leaves)),
            "places_in_config": len(self.tree.leaves),
            "places_measured": int(np.isfinite(self.estimates.value).sum()),
            "seeds_planned": min(planned_seeds, default=0),
            "paper": self.paper.word,
            "paper_on": f"{self.paper.known} of {len(self.complete.leaves)} comparisons",
            "flags": carried_flags({str(row["flags"]) for row in rows if row.get("flags")}) or None,
        }
        return (
            self.claim.model_dump(exclude={"test", "id"})
            | about
            | self._stand_ins()
            | (self._effect(self.evidence.stronger, level) if self.evidence else {})
            | (self._open(level) if verdict in WORDS[2:] else {"reason": None})
        )

    def _effect(self, tail: Tail, level: float) -> dict[str, Any]:
        """The comparison that decides; its interval leaves the bound if the claim is decided."""
        comparison = self.places.iloc[int(tail.leaf)]
        if tail.p >= 1:  # nothing speaks: show the one nearest to failing
            low, high = bounds_of(self.tree.leaves)
            inside = np.minimum(self.estimates.value - low, high - self.estimates.value)
            comparison = self.places.iloc[int(np.nanargmin(inside))]
        half, error = 0.0, comparison["error"]
        if error:
            half = stats.t.isf(level / tail.factor, comparison["degrees_of_freedom"]) * error
        shown = comparison[["at_least", "at_most", "paper_low", "paper_high", "effect"]]
        assert self.evidence is not None
        return {
            **shown.replace([np.inf, -np.inf], np.nan),
            "decided_by": comparison["place"],
            "interval_low": comparison["effect"] - half,
            "interval_high": comparison["effect"] + half,
            "p_supported": float(self.evidence.support.p),
            "p_contradicted": float(self.evidence.contradiction.p),
            "seeds": int(self.estimates.seeds[self.estimates.seeds > 0].min()),
        }

    def _open(self, level: float) -> dict[str, Any]:
        """Why there is no verdict: what is missing, or what these cells could show."""
        found, places = self.estimates, len(self.tree.leaves)
        if self.tree.tree is None:
            return {"reason": "not in this config"}
        if self.evidence is None:
            return {"reason": "not yet measured"}
        if lacking := int(np.isnan(found.value).sum()):
            return {"reason": f"{places - lacking} of {places} comparisons measured"}
        if not self.tree.supportable:
            return {"reason": "a part of the statement has no cells"}
        if self.places["error"].isna().any():
            return {"reason": "one seed decides nothing; two are the least"}
        return {"reason": page.CANNOT_TELL, "detectable": detectable(self.tree, found, level)}

    def _stand_ins(self) -> dict[str, Any]:
        """Whether datasets or networks are stand-ins, and what plays them."""
        matrix, roles = self.plan.matrix, self.plan.matrix.config.roles
        names = {name for k in self.tree.keys for name in (k.dataset, k.network, k.pretrained_on)}
        stand_ins = [r for r, name in roles.networks.items() if r in names and name != r]
        datasets = [matrix.config.datasets[d] for r, d in roles.datasets.items() if r in names]
        shown = [f"{d.label} for {d.stand_in_for}" if d.stand_in_for else d.label for d in datasets]
        shown += [f"{roles.networks[r]} for {r}" for r in stand_ins]
        stand_in = any(stands_in(matrix, r) for r in roles.datasets if r in names)
        return {"stand_in": stand_in or bool(stand_ins), "data": "; ".join(dict.fromkeys(shown))}


class Verdicts(NamedTuple):
    """All claims, one row each, and the comparisons behind them, one row each."""

    rows: pd.DataFrame
    places: pd.DataFrame


def all_verdicts(numbers: Numbers, plan: Numbers, claims: Claims | None = None) -> Verdicts:
    """Verdicts on claims.yaml's claims unless others are given, on whatever was measured."""
    claims = claims or read_claims()
    measured = [MeasuredClaim(claim, claims, numbers, plan) for claim in claims.claims]
    # What is counted cannot be wrong: it must not make room for the errors of others.
    weighed = [
        float(one.evidence.stronger.p) for one in measured if one.evidence and not one.counted
    ]
    verdicts, level = decided(weighed, claims.error_rate)
    # What the next undecided claim would have to reach.
    reach = min(level + claims.error_rate / max(len(weighed), 1), claims.error_rate)
    rows, left = [], iter(verdicts)
    for one in measured:
        word = "undecided" if one.evidence else "without cells"
        if one.evidence and (one.counted or next(left)):
            word = WORDS[one.evidence.index(one.evidence.stronger)]
        rows.append(one.row(word, level if word in WORDS[:2] else reach))
    places = pd.concat([one.places for one in measured if one.evidence] or [measured[0].places[:0]])
    return Verdicts(pd.DataFrame(rows), places.replace([np.inf, -np.inf], np.nan))


def claim_cells(matrix: Matrix) -> list[Cell]:
    """The cells that the claims read, each once; what the config lacks has none."""
    claims, plan = read_claims(), planned(matrix)
    keys = {key for claim in claims.claims for key in compiled(claims, claim.test, plan).keys}
    rows = (row for k in keys for by_seed in plan.by_seed(k).values() for row in by_seed)
    needed = {row["cell"] for row in rows}
    return [cell for cell in matrix.all_cells() if cell.path in needed]


def make_claims(
    cells: Iterable[Path],
    matrix: Matrix,
    stem: Path,
    target: Path,
    base: str = "",
    remark: str = "",
) -> None:
    """Write ``<stem>.csv``, ``<stem>_places.csv`` and ``<stem>.html``, and the page of a report.

    From the report's page, ``target``, figures and tables cannot be reached; see :func:`page.html`.
    """
    claims = read_claims()
    verdicts = all_verdicts(Numbers.measured(read_cells(cells), matrix), planned(matrix), claims)
    write_text(stem.with_suffix(".csv"), verdicts.rows.to_csv(index=False))
    write_text(stem.with_name(f"{stem.name}_places.csv"), verdicts.places.to_csv(index=False))
    text = page.html(verdicts.rows, verdicts.places, claims, matrix, base, remark)
    write_text(stem.with_suffix(".html"), text)
    write_text(target, page.without_links(text))

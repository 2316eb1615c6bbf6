"""The verdict on the paper: every claim of claims.yaml, judged on whatever cells exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from rst_core.files import write_text
from workflow.artifacts import claims_render, style
from workflow.artifacts.claims_data import Claim, Claims, ranges, read_claims
from workflow.artifacts.claims_judge import ALPHA, Group, Judge, Place
from workflow.artifacts.claims_numbers import Address, Numbers, keep_ratios, measured, planned
from workflow.artifacts.frame import read_cells
from workflow.artifacts.summary import stands_in
from workflow.artifacts.suspicion import carried_flags
from workflow.config import DatasetEntry
from workflow.matrix import Matrix

HOLDS, FAILS = "holds", "fails"
NOT_YET, NOT_HERE = "not enough cells yet", "not enough cells in this config"

COLUMNS = [
    "claim", "section", "title", "verdict", "clear", "margin", "low", "high", "unit", "value",
    "at_least", "at_most", "paper", "seeds_error", "images_error", "paired", "seeds",
    "seeds_planned", "decided_by", "keep_ratios", "places_measured", "places_in_config", "places",
    "missing",
    "stand_in", "data", "selection", "flags", "quote", "rests_on", "remark",
]  # fmt: skip


#: A claim, its test at all places, and the numbers that its experiments will have.
Judged = tuple[Claim, Place | Group, Numbers]


def judge(cells: pd.DataFrame, matrix: Matrix, claims: Claims | None = None) -> pd.DataFrame:
    """One row a claim, in the order of claims.yaml.

    Columns: ``verdict`` is holds, fails, or why there is none; ``clear`` is yes if the interval
    of the margin, ``low`` to ``high``, is on one side of zero and rests on several seeds; the
    errors, the value and its bounds (``at_least``, ``at_most``, tolerance included) are those of
    the comparison that decides, named in ``decided_by``; ``stand_in`` says that a verdict is not
    about the paper.

    Args:
        cells: the tidy frame of whatever was measured.
        matrix: the config's matrix; says what is still missing.
        claims: claims.yaml, unless said otherwise.
    """
    return _verdicts(_judged(cells, matrix, claims or read_claims()), matrix)


def _verdicts(judged: Iterable[Judged], matrix: Matrix) -> pd.DataFrame:
    rows = [_row(claim, tree, plan, matrix) for claim, tree, plan in judged]
    return pd.DataFrame(rows, columns=COLUMNS)


def _places(judged: Iterable[Judged]) -> pd.DataFrame:
    """One row a comparison of a claim at one place, measured or not."""
    rows = [
        {"claim": claim.id, "place": place.label, "in_config": place.in_config, **_measured(place)}
        for claim, tree, _ in judged
        for place in tree.places()
    ]
    return pd.DataFrame(rows, columns=["claim", "place", "in_config", *_measured(None)])


def _judged(cells: pd.DataFrame, matrix: Matrix, claims: Claims) -> Iterator[Judged]:
    numbers = measured(cells, matrix)
    plans: dict[str, Numbers] = {}
    for claim in claims.claims:
        plan: dict[Address, Any] = {}
        for experiment in claim.experiments:
            if experiment not in plans:
                plans[experiment] = planned(matrix, experiment)
            for address, seeds in plans[experiment].items():
                plan[address] = {**plan.get(address, {}), **seeds}
        yield claim, Judge(claims, claim, matrix, plan, numbers).tree(claim.test), plan


def _row(claim: Claim, tree: Place | Group, plan: Numbers, matrix: Matrix) -> dict[str, Any]:
    present = tree.present()
    every = list(tree.places())
    here = list(present.places()) if present else []
    done = [place for place in here if place.estimate is not None]
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {
        "claim": claim.id,
        **{k: getattr(claim, k) for k in ("section", "title", "unit", "quote", "rests_on")},
        "remark": claim.remark,
        "places": len(every),
        "places_in_config": len(here),
        "places_measured": len(done),
        "missing": _missing([p for p in every if not p.in_config], plan),
        "keep_ratios": _keep_ratios(claim, here, matrix),
        "seeds_planned": min((place.seeds_planned for place in here), default=0),
        "selection": matrix.config.selection.value,
        "flags": carried_flags(f for p in done for f in p.flags) or None,
        **_played_by(every, matrix),
    }
    if present is None:
        return row | {"verdict": NOT_HERE}
    if len(done) < len(here):
        return row | {"verdict": NOT_YET}
    deciding = present.deciding
    row |= _measured(deciding)
    return row | {
        "verdict": HOLDS if present.margin >= 0 else FAILS,
        "clear": _clear(present, here),
        "low": present.lower(ALPHA),
        "high": present.upper(ALPHA),
        "decided_by": deciding.label,
        "seeds": min(p.estimate.seeds for p in here if p.estimate is not None),
    }


def _measured(place: Place | None) -> dict[str, Any]:
    """What was measured at a place; all empty where nothing was."""
    errors = ("seeds_error", "images_error", "paired", "seeds")
    row: dict[str, Any] = dict.fromkeys(("value", "margin", "at_least", "at_most", "paper"))
    row |= dict.fromkeys(errors)
    if place is not None:
        lowest, highest = place.bounds
        row["at_least"] = None if lowest == float("-inf") else lowest
        row["at_most"] = None if highest == float("inf") else highest
        row["paper"] = place.comparison.paper
        if place.estimate is not None:
            row["margin"] = place.margin
            row |= {name: getattr(place.estimate, name) for name in ("value", *errors)}
    return row


def _clear(tree: Place | Group, here: list[Place]) -> str:
    holds = tree.margin >= 0
    if not (tree.lower(ALPHA) > 0 if holds else tree.upper(ALPHA) < 0):
        return "no"
    on_images = [p.estimate for p in here if p.estimate is not None and p.estimate.images]
    return "one seed" if any(e.seeds == 1 for e in on_images) else "yes"


def _keep_ratios(claim: Claim, here: list[Place], matrix: Matrix) -> str:
    """The keep ratios that the test is about in this config, and whether one has to do."""
    named = {a.keep_ratio for p in here for _, side in p.sides for a in side if a.keep_ratio}
    lone = any(len(keep_ratios(r, claim, matrix)) == 1 for r in ranges(claim.test))
    text = ", ".join(f"{ratio:g}" for ratio in sorted(named))
    return f"{text} (one stands for a whole range)" if lone else text


def _missing(absent: list[Place], plan: Numbers) -> str | None:
    """Which values the config does not have, by axis; else which comparisons."""
    known = {axis: {getattr(a, axis) for a in plan} for axis in Address._fields}
    lacking: dict[str, set[Any]] = {}
    for address in (a for place in absent for a in place.absent):
        for axis, value in zip(address._fields, address, strict=True):
            if value is not None and value not in known[axis]:
                lacking.setdefault(axis, set()).add(value)
    if lacking.get("attack_eps") == lacking.get("trained_eps"):
        lacking.pop("attack_eps", None)  # one is the other, unless a claim says otherwise
    parts = [
        axis.replace("_", " ") + " " + ", ".join(map(_shown, sorted(values)))
        for axis, values in lacking.items()
    ]
    labels = [place.label for place in absent]
    shown = labels if len(labels) < 4 else [*labels[:2], f"{len(labels) - 2} more"]
    return "; ".join(parts or shown) or None


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _played_by(places: list[Place], matrix: Matrix) -> dict[str, Any]:
    """Whether datasets or networks of a test are stand-ins, and what plays them."""
    roles = matrix.config.roles
    taking_part = set().union(*(place.roles for place in places))
    datasets = [role for role in roles.datasets if ("datasets", role) in taking_part]
    networks = [role for role in roles.networks if ("networks", role) in taking_part]
    foreign = [role for role in networks if roles.networks[role] != role]
    shown = [_played(matrix.config.datasets[roles.datasets[role]]) for role in datasets]
    shown += [f"{roles.networks[role]} for {role}" for role in foreign]
    stand_in = bool(foreign) or any(stands_in(matrix, role) for role in datasets)
    return {"stand_in": stand_in, "data": "; ".join(dict.fromkeys(shown))}


def _played(dataset: DatasetEntry) -> str:
    return f"{dataset.label} for {dataset.stand_in_for}" if dataset.stand_in_for else dataset.label


def make_claims(cells: Iterable[Path], matrix: Matrix, stem: Path) -> None:
    """Write ``stem`` with .csv, .md, .html and .png, and ``<stem>_places.csv``."""
    claims = read_claims()
    judged = list(_judged(read_cells(cells), matrix, claims))
    verdicts = _verdicts(judged, matrix)
    write_text(stem.with_suffix(".csv"), verdicts.to_csv(index=False))
    write_text(stem.with_name(f"{stem.name}_places.csv"), _places(judged).to_csv(index=False))
    write_text(stem.with_suffix(".md"), claims_render.markdown(verdicts, claims, matrix))
    write_text(stem.with_suffix(".html"), claims_render.html(verdicts, claims, matrix))
    style.save(claims_render.picture(verdicts, matrix), stem.with_suffix(".png"))

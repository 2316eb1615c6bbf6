"""R2S under stronger attacks than the paper's: expected accuracy under every attack known here.

R2S draws a member uniformly, so its expected accuracy on an image is the share of members that
classify it correctly, and an adversary who has several attacks picks for each image the one
that leaves the smallest share. So does the adversary of the dense beside it, with attacks on the
dense. All attacks are compared on the same images.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from math import sqrt
from string import ascii_lowercase
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workflow.artifacts import artifact, style
from workflow.artifacts.figures.r2s_stress_parts import EXPERIMENT, SEEDS, on_dense
from workflow.artifacts.numbers.keyed import Keyed
from workflow.artifacts.numbers.models import ATTACK, Models, first_values
from workflow.artifacts.numbers.outcomes import Shares, expected_outcomes
from workflow.artifacts.numbers.selection import (
    NATURAL,
    Measure,
    Row,
    Selector,
    adaptive,
    evaluated,
    switched,
)
from workflow.artifacts.numbers.summary import (
    network_label,
    over_seeds,
    paper_values,
    remarks,
    short_label,
    stands_in,
    with_paper,
)
from workflow.artifacts.numbers.suspicion import FOOTNOTES, carried_flags
from workflow.matrix import Matrix

#: Attacks of the paper's own evaluation [6.3]: on one drawn ticket, and its two adaptive ones.
_PAPER = (ATTACK, "eot_pgd20", "ensemble_pgd20")
#: Rows that are no attack on R2S, and the minimum over those that are.
_NATURAL, _DENSE, _DENSE_MINIMUM = "r2s/natural", f"dense/{ATTACK}", "dense/strongest"
_MINIMUM = "r2s/minimum"
#: Standard errors by which a difference must exceed 0 to be called one.
_ERRORS = 2.0


@dataclass
class _Seed:
    """What was measured on one seed's candidate set, by the row that shows it.

    Attributes:
        shares: of every source that an attack was made on, the share of members that classify
            each image correctly.
        flags: codes.
    """

    shares: dict[str, list[Shares]] = field(default_factory=lambda: defaultdict(list))
    flags: dict[str, str] = field(default_factory=dict)

    def add(self, row: str, rows: list[Row]) -> None:
        self.shares[row].append(expected_outcomes(rows))
        self.flags[row] = carried_flags([self.flags.get(row), *(one["flags"] for one in rows)])

    def combined(self, attacks: set[str], images: int, how: Any) -> Shares | None:
        """For each image the mean or the minimum over all sources; None if an attack is missing.

        Of an attack's sources the adversary draws one, or chooses one.
        """
        if not attacks or not attacks <= self.shares.keys():
            return None
        shares: Shares = how([one[:images] for a in attacks for one in self.shares[a]], axis=0)
        return shares


def build(figure: artifact.Figure, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
    """One row for each attack and each network and dataset, and the minima over all.

    ``images`` says on how many of the first test images all attacks were run; every number is
    on those. ``error`` is the standard error over images, ``spread`` the deviation over seeds.
    """
    experiment = matrix.config.experiments[EXPERIMENT]
    keyed = Keyed.measured(cells, matrix)
    rows: list[dict[str, Any]] = []
    shown = product(experiment.datasets, experiment.networks) if experiment.models else ()
    for dataset, network in shown:
        rows += _column(keyed, network, dataset)
    data = with_paper(rows, figure.name, matrix)
    return data.assign(**{key: [row[key] for row in rows] for key in ("error", "verdict")})


def _column(keyed: Keyed, network: str, dataset: str) -> list[dict[str, Any]]:
    """The rows of one network and dataset."""
    matrix = keyed.matrix
    selectors = _selectors(network, dataset, matrix)
    found = _measured(selectors, keyed)
    images = min(
        (len(v) for s in found.values() for vs in s.shares.values() for v in vs), default=0
    )
    attacks = [row for row in selectors if row.startswith("r2s/") and row != _NATURAL]
    parts = {
        _NATURAL: [_NATURAL],
        _DENSE: [_DENSE],
        _DENSE_MINIMUM: [f"dense/{a}" for a in on_dense(matrix)],
    }
    parts |= {row: [row] for row in attacks} | {_MINIMUM: attacks}
    shown = {}
    for row, own in parts.items():
        how = np.min if row in (_DENSE_MINIMUM, _MINIMUM) else np.mean
        shown[row] = {
            seed: measured.combined(_attacks(seed, own, matrix), images, how)
            for seed, measured in found.items()
        }
    rows = []
    for row, by_seed in shown.items():
        complete = {s: v for s, v in by_seed.items() if v is not None}
        flags = [found[s].flags.get(part, "") for s, part in product(complete, parts[row])]
        rows.append(
            {
                "row": row,
                "column": f"{network}/{dataset}",
                "role": dataset,
                "network_role": network,
                "series": row.split("/")[0],
                "measure": "natural" if row == _NATURAL else "robust",
                **over_seeds(pd.Series([100 * v.mean() for v in complete.values()], dtype=float)),
                "error": _error([*complete.values()]),
                "images": images,
                "flags": carried_flags(flags),
                "verdict": "",
            }
        )
    rows[-1]["verdict"] = _verdict(shown, rows, dataset, matrix)
    return rows


def _selectors(network: str, dataset: str, matrix: Matrix) -> dict[str, Selector]:
    """What each row is made of, in the order shown, but for the minimum."""
    experiments = matrix.config.experiments
    axes, seeds = first_values(experiments[EXPERIMENT]), experiments[EXPERIMENT].seeds
    dense, tickets = (
        Models(network, dataset, kind, axes=axes, seeds=seeds)
        for kind in ("dense_adversarial", "rst")
    )
    eps = axes["trained_eps"]
    members, one_ticket = experiments[EXPERIMENT].candidate_set, Measure(ATTACK, eps)
    found = {
        _NATURAL: switched(tickets, members, NATURAL),
        _DENSE: evaluated(dense, one_ticket),
        **{f"dense/{a}": evaluated(dense, Measure(a, eps)) for a in on_dense(matrix)},
        f"r2s/{ATTACK}": switched(tickets, members, one_ticket),
    }
    for attack in (m.attack for m in experiments[EXPERIMENT].adaptive):
        found[f"r2s/{attack}"] = adaptive(tickets, members, Measure(attack, eps))
    others = experiments[SEEDS].adaptive_transfer if experiments[SEEDS].models else []
    for attack in (m.attack for m in others):
        other = adaptive(tickets, members, Measure(attack, eps), "other_seeds")
        found[f"r2s/other_seeds_{attack}"] = other
    return found


def _measured(selectors: Mapping[str, Selector], keyed: Keyed) -> dict[int, _Seed]:
    """Every attack on the set of every seed; one that lacks a member's outcomes is left out."""
    found: dict[int, _Seed] = {}
    members = len(keyed.matrix.config.experiments[EXPERIMENT].candidate_set)
    for row, selector in selectors.items():
        needed = 1 if row.startswith("dense/") else members
        for seed, rows in selector.rows(keyed).items():
            by_cell: dict[str, list[Row]] = {}
            for one in rows:
                by_cell.setdefault("" if row == _NATURAL else one["cell"], []).append(one)
            for _, own in sorted(by_cell.items()):
                if len(own) == needed:
                    found.setdefault(seed, _Seed()).add(row, own)
    return dict(sorted(found.items()))


def _attacks(seed: int, attacks: list[str], matrix: Matrix) -> set[str]:
    """Those of the attacks that a seed has: on a set of another seed, if any is attacked."""
    sources = {cell.model.network.seed for cell in matrix.cells(SEEDS)} - {seed}
    return {row for row in attacks if sources or not row.startswith("r2s/other_seeds")}


def _error(shares: list[Shares]) -> float | None:
    """Standard error over images of a percentage; the seeds share the images."""
    if not shares or len(shares[0]) < 2:
        return None
    mean = np.stack(shares).mean(0)
    return float(100 * mean.std(ddof=1) / sqrt(len(mean)))


def _verdict(
    shown: dict[str, dict[int, Shares | None]],
    rows: list[dict[str, Any]],
    dataset: str,
    matrix: Matrix,
) -> str:
    """Whether R2S is weaker than the paper says, in one sentence."""
    minimum, by_row = rows[-1], {r["row"]: r for r in rows}
    own = [by_row[f"r2s/{a}"] for a in _PAPER if f"r2s/{a}" in by_row]
    own = [r for r in own if r["mean"] is not None]
    if minimum["mean"] is None or not own:
        return "Not all attacks have been run yet."
    rerun = min(own, key=lambda r: r["mean"])
    left = f"{minimum['mean']:.1f} ± {minimum['error'] or 0:.1f} %"
    published = paper_values("r2s_stress")
    values = [published.get((f"r2s/{a}", minimum["column"])) for a in _PAPER]
    printed = min((v for v in values if v is not None), default=None)
    if stands_in(matrix, dataset) or printed is None:
        seeds = [s for s, v in shown[_MINIMUM].items() if v is not None]
        pairs = [(shown[rerun["row"]][s], shown[_MINIMUM][s]) for s in seeds]
        drops = [a - b for a, b in pairs if a is not None and b is not None]
        error = _error(drops) or 0.0
        drop = 100 * float(np.mean(drops)) if drops else 0.0
        weaker, than = drop > _ERRORS * error, "under the paper's own attacks"
        against = f"those give {rerun['mean']:.1f} %"
    else:
        over = (minimum["spread"] or 0.0) / sqrt(minimum["seeds"])
        error = sqrt((minimum["error"] or 0.0) ** 2 + over**2)
        weaker, than = minimum["mean"] + _ERRORS * error < printed, "the paper says"
        against = f"it prints {printed:.2f} %, its attacks rerun here give {rerun['mean']:.1f} %"
    finding = f"R2S is weaker than {than}" if weaker else f"R2S is not found weaker than {than}"
    return f"{finding}: {left} under the strongest adversary here; {against}."


#: Colours that mean nothing else in other figures, and markers.
_LOOKS = {
    "measured": ("0.45", "o"),
    "paper": ("#3B3B98", "s"),
    "harder": ("#B33771", "D"),
    "minimum": ("black", "o"),
}


def _label(row: str, matrix: Matrix) -> str:
    fixed = {
        _NATURAL: "no attack",
        _DENSE: "dense network, PGD-20",
        _DENSE_MINIMUM: "dense network, strongest attack",
        f"r2s/{ATTACK}": "PGD-20 on one ticket",
        _MINIMUM: "minimum over all, per image",
    }
    if row in fixed:
        return fixed[row]
    attack = row.removeprefix("r2s/")
    name = attack.removeprefix("other_seeds_")
    label = matrix.config.attacks[name].label
    return f"{label},\nset of another seed" if name != attack else label


def _kind(row: str) -> str:
    if row in (_NATURAL, _DENSE, _DENSE_MINIMUM):
        return "measured"
    if row == _MINIMUM:
        return "minimum"
    return "paper" if row.partition("/")[2] in _PAPER else "harder"


def draw(_: artifact.Figure, data: pd.DataFrame, matrix: Matrix, remark: str = "") -> Figure:
    """Accuracy under each attack, a panel for each network and dataset, each with its verdict."""
    style.begin()
    columns = list(dict.fromkeys(data["column"]))
    across = max(1, min(2, len(columns)))
    down = max(1, -(-len(columns) // across))
    size = (2 + 4.2 * across, 3.9 * down + 0.5)
    figure, axes = plt.subplots(
        down, across, figsize=size, layout="constrained", squeeze=False, sharey=True
    )
    for ax in axes.flat[len(columns) :]:
        ax.axis("off") if columns else style.absent(ax, "not in this matrix")
    codes = [c for c in carried_flags(data["flags"]).split(";") if c in FOOTNOTES]
    letters = dict(zip(codes, ascii_lowercase, strict=False))
    for ax, column in zip(axes.flat, columns, strict=False):
        _panel(ax, data[data["column"] == column], letters, matrix)
    shared = ", ".join(dict.fromkeys(f"{n}" for n in data["images"] if n)) or "0"
    # The paper's numbers that cannot be compared have no ring.
    compared = "in brackets and as rings" if data["difference"].notna().any() else "in brackets"
    note = (
        f"expected accuracy over the candidate set (%), exact; the first {shared} test images, on "
        "which all attacks were run; ± and bars: standard error over images, bars twice that; "
        f"{compared}: the paper's Tables 3 and 5; squares: the paper's attacks; "
        "diamonds: stronger ones; "
    )
    marked = "".join(f" [{letter}] {FOOTNOTES[code]}" for code, letter in letters.items())
    note += remarks(matrix, list(dict.fromkeys(data["role"]))) + "." + marked
    style.footnote(figure, "; ".join(filter(None, [remark, note])))
    return figure


def _panel(ax: Axes, data: pd.DataFrame, letters: dict[str, str], matrix: Matrix) -> None:
    """One network and dataset."""
    rows = data.to_dict("records")
    for y, row in enumerate(rows):
        colour, marker = _LOOKS[_kind(row["row"])]
        marks = "".join(letters.get(code, "") for code in row["flags"].split(";"))
        paper = "" if pd.isna(row["paper"]) else f" ({row['paper']:.2f})"
        if pd.isna(row["mean"]):
            shown = "–" + paper
        else:
            error = 0.0 if pd.isna(row["error"]) else row["error"]
            ax.errorbar(row["mean"], y, xerr=_ERRORS * error, color=colour)
            # Not clipped: whole at 100.
            ax.plot(row["mean"], y, marker, ms=5, color=colour, clip_on=False, zorder=3)
            shown = f"{row['mean']:.1f} ± {error:.1f}{paper}" + (f" [{marks}]" if marks else "")
        if not pd.isna(row["difference"]):
            ax.plot(row["paper"], y, "o", ms=7, mfc="none", color=colour)
        weight = "bold" if row["row"] == _MINIMUM else "normal"
        ax.text(1.02, y, shown, transform=ax.get_yaxis_transform(), va="center", fontsize=7,
                weight=weight)  # fmt: skip
    ax.set_yticks(range(len(rows)), [_label(r["row"], matrix) for r in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(0, 100)
    ax.set_xlabel("expected accuracy (%)")
    network, role = rows[0]["network_role"], rows[0]["role"]
    where = f"{network_label(matrix, network)} @ {short_label(matrix, role)}".replace("\n", " ")
    verdict = next(r["verdict"] for r in rows if r["verdict"])
    verdict = fill(style.keep_together(verdict), 70)
    ax.set_title(f"{where}\n{verdict}", loc="left", fontsize=8)

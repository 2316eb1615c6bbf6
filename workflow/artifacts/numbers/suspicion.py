"""Which numbers deserve suspicion: codes in the frame's ``flags``, sentences for footnotes.

A robust accuracy is an upper bound, as good as the attack that failed to lower it. The
symptoms are those of Athalye, Carlini and Wagner, ICML 2018, and of Carlini et al., "On Evaluating
Adversarial Robustness", 2019; what one cell shows by itself is measured inside its job
(:mod:`rst_core.measures.suspicion`), what two cells show together is found here. Natural accuracies
are never flagged for them. A number on part of the test set carries how many images that is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import sqrt
from typing import Any

import pandas as pd

from rst_core.axes import MODEL_COLUMNS
from rst_core.vocabulary import AttackMethod
from workflow.artifacts.numbers.outcomes import Shares, expected_outcomes

#: Code in ``flags`` to the sentence under a table, in the order in which codes are joined.
FOOTNOTES: dict[str, str] = {
    "zero_gradient": "The loss of some images has an exactly zero gradient, so that a gradient "
    "attack cannot move them.",
    "randomised": "The model's outputs differ between two passes over the same images; the attack "
    "assumes a deterministic model.",
    "probabilities": "The model's outputs look like probabilities where the attack expects logits.",
    "eps64": "PGD-20 at ε = 64/255 leaves correctly classified images; a working attack leaves "
    "none.",
    "black_box": "A black-box attack at the same eps is stronger on this model: its gradients may "
    "be masked.",
    "transfer": "The same attack, transferred from another model, is stronger on this one: its "
    "gradients may be masked.",
}

#: Standard errors by which one attack must beat another; about one in forty pairs of equals does.
_ERRORS = 2.0
#: Change of outputs between two passes, as a fraction of their norm: Auto-Attack's own
#: threshold for randomised defences. Rounding is a hundred times smaller.
_RERUN = 1e-4
#: Share of images that may survive eps 64, before noise: in so large a ball an attack that works
#: leaves next to none, and a few in a hundred may survive by chance.
_AT_64 = 0.05
#: Methods that see outputs only.
_BLACK_BOX = {method.value for method in AttackMethod if not method.gradients}

#: Columns that name what is defended: a model, or a candidate set (whose tickets' keep
#: ratios are in ``candidates``).
_DEFENCE = [
    *(name for name in MODEL_COLUMNS if name != "keep_ratio"), "selection", "candidates",
]  # fmt: skip


def _joined(codes: set[str]) -> str:
    """Known codes in the order of :data:`FOOTNOTES`, unknown ones behind them."""
    return ";".join([*(c for c in FOOTNOTES if c in codes), *sorted(codes - FOOTNOTES.keys())])


def check_codes(checks: Mapping[str, Any] | None) -> str:
    """The codes of one cell's ``checks``; empty for a cell that has none."""
    if not checks:
        return ""
    images = checks["images"]
    tolerated = _AT_64 * images + _ERRORS * sqrt(images * _AT_64 * (1 - _AT_64))
    found = {
        # Auto-Attack warns of a single one, too: float32 has room for the smallest gradient.
        "zero_gradient": checks["zero_gradient"] > 0,
        "randomised": checks["rerun_difference"] > _RERUN,
        "probabilities": checks["probabilities"],
        "eps64": checks["correct_at_64"] > tolerated,
    }
    return _joined({code for code, shown in found.items() if shown})


def carried_flags(flags: Iterable[Any]) -> str:
    """The codes of a number that is made of rows with these ``flags``, each once; may be empty."""
    return _joined({c for one in flags if isinstance(one, str) for c in one.split(";") if c})


@dataclass
class _Attacked:
    """What one cell measured of one defence.

    Attributes:
        attack: its name in the config.
        own: whether the images were made on the defence itself.
        black_box: whether the attack saw its outputs only.
        rows: of the frame, one for each model of the defence, with their index.
    """

    attack: str
    own: bool
    black_box: bool
    rows: list[dict[str, Any]]

    @cached_property
    def outcomes(self) -> Shares:
        """The share of the defence's models that classify each image correctly."""
        return expected_outcomes(self.rows)

    @property
    def counts(self) -> tuple[int, int]:
        """Correct and all outcomes, which the rows say without unpacking any."""
        return sum(r["correct"] for r in self.rows), sum(r["total"] for r in self.rows)

    def beaten_by(self, other: _Attacked) -> bool:
        """Whether the other leaves fewer images, by more than noise.

        Both ran on the first images of one test set; the comparison is image by image on those
        that both have, which is McNemar's test for outcomes of 0 and 1.
        """
        (mine, all_mine), (theirs, all_theirs) = self.counts, other.counts
        if all_mine == all_theirs and theirs >= mine:
            return False
        shared = min(len(self.outcomes), len(other.outcomes))
        gain = self.outcomes[:shared] - other.outcomes[:shared]
        return bool(gain.sum() > _ERRORS * sqrt((gain**2).sum()))


def flagged(cells: pd.DataFrame) -> pd.DataFrame:
    """The frame with the codes that cells show together added to its ``flags``.

    A white-box number is flagged if a black-box attack of the same norm and eps, or the very
    attack made on another model, beats it on the same defence.
    """
    cells = cells.assign(flags=cells["flags"].fillna("").astype(object))
    for attacked in _by_defence(cells):
        for white in (one for one in attacked if one.own and not one.black_box):
            rivals = {
                "black_box": [a for a in attacked if a.own and a.black_box],
                "transfer": [a for a in attacked if not a.own and a.attack == white.attack],
            }
            found = [code for code, them in rivals.items() if any(map(white.beaten_by, them))]
            for row in white.rows if found else []:
                cells.loc[row["index"], "flags"] = carried_flags([row["flags"], *found])
    return cells


def _by_defence(cells: pd.DataFrame) -> list[list[_Attacked]]:
    """Attacked cells by defence, norm and eps; a candidate set is one defence.

    Plain lists: a frame for each of thousands of defences would take minutes.
    """
    robust = cells[(cells["measure"] == "robust") & cells["outcomes"].notna()]
    known = robust.astype(object).where(robust.notna(), None)
    found: dict[tuple[Any, ...], dict[str, _Attacked]] = {}
    for index, row in zip(known.index, known.to_dict("records"), strict=True):
        single = row["candidates"] is None
        key = (
            *(row[c] for c in _DEFENCE),
            row["keep_ratio"] if single else None,
            row["attack_norm"],
            row["attack_eps"],
        )
        group = found.setdefault(key, {})
        if row["cell"] not in group:
            black_box = row["attack_method"] in _BLACK_BOX
            group[row["cell"]] = _Attacked(row["attack"], _is_own(row), black_box, [])
        group[row["cell"]].rows.append({str(k): v for k, v in row.items()} | {"index": index})
    return [list(group.values()) for group in found.values()]


def _is_own(row: Mapping[Any, Any]) -> bool:
    """Whether a row's images were made on the defence that it is about."""
    if row["source_seed"] != row["seed"]:
        return False
    if row["candidates"] is not None:
        return True
    source = (row["source_model"], row["source_keep_ratio"])
    return source == (row["model"], row["keep_ratio"])

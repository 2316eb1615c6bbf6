"""Which numbers deserve suspicion: codes in the frame's ``flags``, sentences for footnotes.

A robust accuracy is an upper bound, as good as the attack that failed to lower it. The
symptoms are those of Athalye, Carlini and Wagner, ICML 2018, and of Carlini et al., "On Evaluating
Adversarial Robustness", 2019; what one cell shows by itself is measured inside its job
(:mod:`rst_core.suspicion`), what two cells show together is found here. Natural accuracies
are never flagged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd

from rst_core.records import unpack_outcomes
from rst_core.vocabulary import AttackMethod

#: Code in ``flags`` to the sentence under a table, in the order in which codes are joined.
FOOTNOTES: dict[str, str] = {
    "zero_gradient": "The loss of some images has an exactly zero gradient, so that a gradient "
    "attack cannot move them.",
    "randomised": "The model's outputs differ between two passes over the same images, which the "
    "attack does not expect.",
    "probabilities": "The model's outputs look like probabilities where the attack expects logits.",
    "eps64": "PGD-20 at eps 64 leaves images standing, where an attack that works leaves none.",
    "black_box": "A black-box attack of the same eps leaves fewer images of this model: its "
    "gradients may be masked.",
    "transfer": "The same attack made on another model leaves fewer images of this one: its "
    "gradients may be masked.",
}

#: Standard errors by which one attack must beat another; about one in forty pairs of equals does.
_ERRORS = 2.0
#: Change of outputs between two passes, as a fraction of their norm: Auto-Attack's own
#: threshold for randomised defences. Rounding is a hundred times smaller.
_RERUN = 1e-4
#: Share of images that may survive eps 64, before noise: in so large a ball an attack that works
#: leaves next to none, and a few in a hundred may be its bad luck.
_AT_64 = 0.05
#: Methods that see outputs only.
_BLACK_BOX = {AttackMethod.BANDITS.value, AttackMethod.SQUARE.value}

#: Columns that name what is defended: a model, or a candidate set (whose tickets' keep
#: ratios are in ``candidates``).
_DEFENCE = [
    "dataset", "network", "init", "seed", "model", "pattern", "method", "trained_eps",
    "pretrained_on", "selection", "candidates",
]  # fmt: skip


def _joined(codes: set[str]) -> str:
    return ";".join(code for code in FOOTNOTES if code in codes)


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


def carried_flags(rows: pd.DataFrame) -> str:
    """The codes of a number that is made of these rows of the frame: the union of theirs."""
    return _joined({code for flags in rows["flags"].dropna() for code in flags.split(";")})


def outcomes(row: Mapping[Any, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Which images a row's model classifies correctly, N zeros and ones."""
    packed = {k: row[k] for k in ("correct", "total", "outcomes")}
    return unpack_outcomes(packed | {"total": int(row["total"])}).astype(np.float64)


def expected_outcomes(rows: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The share of the rows' models that classify each image correctly, N in [0, 1]."""
    each = [outcomes(row) for row in rows.to_dict("records")]
    shared = min(len(one) for one in each)
    mean: np.ndarray[Any, np.dtype[np.float64]] = np.mean([one[:shared] for one in each], axis=0)
    return mean


def beats(
    other: np.ndarray[Any, np.dtype[np.float64]], this: np.ndarray[Any, np.dtype[np.float64]]
) -> bool:
    """Whether an attack leaves fewer of the images than this one, by more than noise.

    Both ran on the first images of one test set; the comparison is image by image on those
    that both have, which is McNemar's test for outcomes of 0 and 1.
    """
    shared = min(len(this), len(other))
    gain = this[:shared] - other[:shared]
    return bool(gain.sum() > _ERRORS * sqrt((gain**2).sum()))


def flagged(cells: pd.DataFrame) -> pd.DataFrame:
    """The frame with the codes that cells show together added to its ``flags``.

    A white-box number is flagged if a black-box attack of the same norm and eps, or the very
    attack made on another model, beats it on the same defence.
    """
    cells = cells.assign(flags=cells["flags"].fillna("").astype(object))
    robust = cells[(cells["measure"] == "robust") & cells["outcomes"].notna()]
    single = robust["candidates"].isna()
    same_ratio = (robust["source_keep_ratio"] == robust["keep_ratio"]) | (
        robust["source_keep_ratio"].isna() & robust["keep_ratio"].isna()
    )
    own = (robust["source_seed"] == robust["seed"]) & (
        ~single | ((robust["source_model"] == robust["model"]) & same_ratio)
    )
    robust = robust.assign(own=own, ratio=robust["keep_ratio"].where(single))
    for _, group in robust.groupby(
        [*_DEFENCE, "ratio", "attack_norm", "attack_eps"], dropna=False, sort=False
    ):
        for index, code in _beaten(group):
            before = set(cells.loc[index[0], "flags"].split(";"))
            cells.loc[index, "flags"] = _joined(before | {code})
    return cells


def _beaten(group: pd.DataFrame) -> Iterator[tuple[pd.Index, str]]:
    """White-box rows of one defence at one eps that another attack beats, and the code."""
    black_box = group["attack_method"].isin(_BLACK_BOX)
    rivals = {
        "black_box": group[group["own"] & black_box],
        "transfer": group[~group["own"]],
    }
    for _, white in group[group["own"] & ~black_box].groupby("cell", sort=False):
        mine = None
        for code, others in rivals.items():
            if code == "transfer":
                others = others[others["attack"] == white["attack"].iloc[0]]
            for _, other in others.groupby("cell", sort=False):
                mine = expected_outcomes(white) if mine is None else mine
                if beats(expected_outcomes(other), mine):
                    yield white.index, code
                    break

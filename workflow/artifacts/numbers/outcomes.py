"""Accuracies image by image, and how much of an attack's damage transfers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from rst_core.records import unpack_outcomes

#: Of each image, the share of some models that classify it correctly.
Shares = np.ndarray[Any, np.dtype[np.float64]]


def outcomes(row: Mapping[Any, Any]) -> Shares:
    """Which images a row's model classifies correctly, N zeros and ones."""
    counts = {k: int(row[k]) for k in ("correct", "total")}  # floats in a frame with gaps
    return unpack_outcomes(counts | {"outcomes": row["outcomes"]}).astype(np.float64)


def expected_outcomes(rows: Iterable[Mapping[Any, Any]]) -> Shares:
    """The share of the rows' models that classify each image correctly, N in [0, 1]."""
    each = [outcomes(row) for row in rows]
    shared = min(len(one) for one in each)
    mean: Shares = np.mean([one[:shared] for one in each], axis=0)
    return mean


def transferred_damage(robust: np.ndarray, natural: np.ndarray) -> str:
    """Of the damage that its own images do to a model, what others' images do: ``33 to 100 %``.

    Args:
        robust: accuracies, a row for each model that images are made on, in the order of the
            columns, the models that they are evaluated on.
        natural: accuracies of the columns without an attack.

    Returns:
        The least and the largest share [6.1]; empty if none is known.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = 100 * (natural - robust) / (natural - np.diag(robust))
    others = shares[~np.eye(len(robust), dtype=bool)]
    known = others[np.isfinite(others)]
    return f"{known.min():.0f} to {known.max():.0f} %" if len(known) else ""

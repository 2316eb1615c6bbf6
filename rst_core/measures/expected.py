"""R2S's exact accuracy from a transfer matrix. Loads no torch: every table would wait for it."""

from __future__ import annotations

import numpy as np


def expected_accuracy(matrix: np.ndarray) -> float:
    """R2S's accuracy when attacker and defender each draw uniformly from the set [6.2, B].

    The mean of the matrix of each defender's (column) accuracy on each attacker's (row) images: the
    expectation is exact. Raises ``ValueError`` if the matrix is not square and complete.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or np.isnan(matrix).any():
        raise ValueError(f"expected a complete square matrix, got shape {matrix.shape}")
    return float(matrix.mean())

"""R2S's accuracy from a transfer matrix."""

import numpy as np
import pytest

from rst_core.measures.expected import expected_accuracy


def test_r2s_is_the_mean_of_its_matrix_and_needs_all_of_it():
    assert expected_accuracy(np.array([[40.0, 60.0], [70.0, 50.0]])) == 55.0
    for bad in (np.ones((2, 3)), np.array([[1.0, np.nan], [1.0, 1.0]])):
        with pytest.raises(ValueError, match="complete square matrix"):
            expected_accuracy(bad)

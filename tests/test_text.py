"""Quantities as people read them."""

import pytest

from workflow.text import hours


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0"), (1.8, "< 0.01"), (36, "0.01"), (108, "0.03"), (5040, "1.4"), (4_320_000, "1,200")],
)
def test_hours_have_two_digits_at_most_below_ten(seconds, shown):
    assert hours(seconds) == shown

"""Figure 4: distances of features over the noise."""

import pytest

from tests.artifacts.figures.pictures import named
from tests.artifacts.made_up import made_up


def test_the_distances_axes_are_noise_and_distance(drawn):
    (ax,) = named(drawn("fig4").axes).values()
    assert ax.get_xlabel() == "magnitude of the noise ε (1/255)"
    assert ax.get_ylabel() == "normalised distance of features"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["2", "4", "8", "12", "16"]
    assert ax.get_ylim()[0] == 0


def test_distances_are_over_the_noise_with_their_spread(built, matrix):
    data = built("fig4").set_index(["series", "noise_eps"])
    frame = made_up(matrix, ["features"])
    own = frame[(frame["model"] == "untrained") & (frame["noise_eps"] == 8)]["value"]
    assert data.loc[("untrained", 8), "mean"] == pytest.approx(own.mean())
    assert data.loc[("untrained", 8), "spread"] == pytest.approx(own.std(ddof=1))
    assert list(data.loc["dense_natural"].index) == [2, 4, 8, 12, 16]

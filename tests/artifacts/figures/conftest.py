"""The data and the pictures of all figures, each made once."""

from functools import cache

import matplotlib.pyplot as plt
import pytest

from tests.artifacts.figures.pictures import FIGURES, KEPT, narrowed
from tests.artifacts.made_up import made_up


@pytest.fixture(scope="package")
def matrix(paper):
    """The paper's matrix with fewer keep ratios: as many panels and words, quicker to draw."""
    many = (n for n, one in paper.config.experiments.items() if len(one.keep_ratios) > 8)
    return narrowed(paper, **{name: {"keep_ratios": KEPT} for name in many})


@pytest.fixture(scope="package")
def built(matrix):
    """Data of a figure from all of its cells, of the paper's matrix or another; made once."""

    @cache
    def build(name, on=matrix):
        return FIGURES[name].build(made_up(on, FIGURES[name].experiments), on)

    return build


@pytest.fixture(scope="package")
def drawn(built, matrix):
    """The picture of that data, drawn once: only to be looked at."""

    @cache
    def draw(name, on=matrix):
        return FIGURES[name].draw(built(name, on), on)

    return draw


@pytest.fixture(scope="package", autouse=True)
def _closed():
    with plt.rc_context({"figure.max_open_warning": 0}):
        yield
    plt.close("all")

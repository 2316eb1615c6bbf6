"""A table as a picture: every number at its place, and all of it to be read."""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest

from tests.artifacts.tables.made_up_tables import built, shown
from workflow.artifacts.tables.entries import TABLES
from workflow.artifacts.tables.picture import picture


@pytest.mark.parametrize("name", TABLES)
def test_a_picture_has_every_number_under_its_header_and_beside_its_labels(name, paper):
    """Positions of texts against the grid: columns to the right, rows downwards."""
    data = built(name, paper)
    data = data.assign(mean=np.arange(len(data)) + 100.25, flags="", paper=np.arange(len(data)))
    grid = shown(name, paper, data)
    figure = picture(grid, "T", "N")
    plt.close(figure)
    texts = [(text.get_text(), *text.get_position()) for text in figure.texts]
    at = {text: (x, y) for text, x, y in texts}  # each number stands once
    columns = [{at[one.ours][0] for one in line if one} for line in zip(*grid.entries, strict=True)]
    across = [x for (x,) in columns]
    assert across == sorted(set(across)), "each column is right of the one before it"
    rows = [{at[one.ours][1] for one in line if one} for line in grid.entries]
    down = [y for (y,) in rows]
    assert down == sorted(set(down), reverse=True), "each row is below the one before it"
    places = zip(grid.rows, grid.entries, down, [*down[1:], 0], strict=True)
    for labels, entries, top, bottom in places:
        for entry in filter(None, entries):
            x, y = at[f"({entry.paper})"]
            assert x == at[entry.ours][0]
            assert bottom < y < top
        assert any(text == labels[-1] and x < across[0] and bottom < y <= top
                   for text, x, y in texts)  # fmt: skip
    for level in range(len(grid.columns[0])):
        for label, first, last in grid.spans(level):
            middle = (across[first] + across[last]) / 2
            heads = [x for text, x, y in texts if text == label and y > down[0]]
            assert not label or min(abs(x - middle) for x in heads) < 0.02


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("which", ["paper", "demo"])
def test_nothing_in_a_picture_overlaps_or_is_cut(name, which, request):
    matrix = request.getfixturevalue(which)
    data = built(name, matrix).assign(flags="one;two")
    grid = shown(name, matrix, data, {"one": "a sentence that says a lot " * 9})
    figure = picture(grid, TABLES[name].heading + " (on stand-in data)", "remark " * 60)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [t.get_window_extent(renderer) for t in figure.texts if t.get_text()]
    plt.close(figure)
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height
    slack = 1.5  # pixels: letters' boxes are larger than their ink
    for one, other in itertools.combinations(boxes, 2):
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        high = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert wide <= slack or high <= slack * 2
    assert min(t.get_fontsize() for t in figure.texts) >= 5.5

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
    at: dict[str, list] = {}
    for text in figure.texts:
        at.setdefault(text.get_text(), []).append(text.get_position())
    columns: list[set[float]] = [set() for _ in grid.columns]
    lines = []
    for entries in grid.entries:
        heights = set()
        for column, entry in enumerate(entries):
            if entry is not None:
                ((x, y),) = at[entry.ours]
                ((below, lower),) = at[f"({entry.paper})"]
                assert (below, lower < y) == (x, True)
                columns[column].add(x)
                heights.add(y)
                lowest = lower
        (height,) = heights
        lines.append((height, lowest))
    across = [x for (x,) in columns]
    assert across == sorted(across)
    assert len(set(across)) == len(across)
    for above, under in itertools.pairwise(lines):
        assert above[1] > under[0], "each row is below the one before it"
    for level in range(len(grid.columns[0])):
        for label, first, last in grid.spans(level):
            if label:
                xs = [x for x, y in at[label] if across[first] - 1e-9 <= x <= across[last] + 1e-9]
                assert xs
                assert first != last or min(abs(x - across[first]) for x in xs) < 1e-9
    for labels, (top, bottom) in zip(grid.rows, lines, strict=True):
        assert any(x < across[0] and bottom <= y <= top for x, y in at[labels[-1]])


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

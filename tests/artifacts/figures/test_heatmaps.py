"""Heatmaps: the attacked ticket in its row, colours by the numbers, the paper's beside ours."""

import itertools
import math

import numpy as np
import pytest

from tests.artifacts.figures.pictures import FIGURES, named, note
from tests.artifacts.made_up import made_up
from workflow.artifacts.numbers.summary import paper_values


@pytest.mark.parametrize("name", ["fig7", "fig12", "fig13"])
def test_a_heatmaps_colours_rise_with_its_numbers_from_the_least_to_the_most(name, drawn):
    for ax in named(drawn(name).axes).values():
        (mesh,) = ax.collections
        numbers = np.asarray(mesh.get_array(), float)
        shown = numbers[~np.isnan(numbers)]
        low, high = mesh.get_clim()
        assert low <= shown.min()
        assert shown.max() <= high
        if name != "fig7":  # whose two matrices share one scale
            assert (low, high) == pytest.approx((shown.min(), shown.max()))
        dark, light = (np.mean(mesh.cmap(mesh.norm(number))[:3]) for number in (low, high))
        assert dark < light
        for text in ax.texts:
            value = text.get_text()
            if text.get_position()[1] < len(mesh.get_array()) and value.replace(".", "").isdigit():
                told = text.get_color() in ("white", "w")
                assert told == (float(value) < (low + high) / 2), "dark cells have white numbers"
        outlined = [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in ax.patches]
        assert all(box == (i, i, 1, 1) for box in outlined for i in [box[0]])
    (scales,) = {ax.collections[0].get_clim() for ax in named(drawn("fig7").axes).values()}
    both = np.concatenate([np.asarray(ax.collections[0].get_array(), float).ravel()
                           for ax in named(drawn("fig7").axes).values()])  # fmt: skip
    assert scales == pytest.approx((np.nanmin(both), np.nanmax(both)))
    twins = named(drawn("fig7_all_steps").axes).values()
    assert len({ax.collections[0].get_clim() for ax in twins}) == 1


@pytest.mark.parametrize("name", ["fig7", "fig12", "fig13"])
def test_a_heatmap_has_the_attacked_ticket_in_its_rows(name, built, matrix):
    data, panel = built(name), FIGURES[name].panels[-1]
    frame = made_up(matrix, FIGURES[name].experiments)
    own = frame[
        (frame["dataset"] == panel.dataset)
        & (frame["network"] == panel.networks[0])
        & (frame["source_keep_ratio"] == 0.03)
        & (frame["keep_ratio"] == 0.2)
        & (frame["measure"] == "robust")
    ]
    rows = data[(data["panel"] == panel.letter) & (data["row"].str.endswith("0.03"))]
    at = rows.set_index("column").loc["0.2"]
    assert at["mean"] == pytest.approx(own["value"].mean())
    assert at["attack_keep_ratio"] == 0.03
    assert not data.duplicated(["row", "column"]).any()
    diagonal = data["attack_keep_ratio"] == data["keep_ratio"]
    assert data[diagonal]["mean"].max() < data[~diagonal]["mean"].max()


@pytest.mark.parametrize("name", ["fig7", "fig12", "fig13"])
def test_a_heatmaps_cells_are_drawn_with_the_attacked_ticket_as_row(name, built, drawn):
    data, panel = built(name), FIGURES[name].panels[0]
    ax = next(ax for ax in drawn(name).axes if ax.collections)
    ratios = sorted(data["keep_ratio"].unique())
    natural = data[data["panel"] == panel.letter].set_index(["measure", "keep_ratio"])["mean"]
    shown = np.asarray(ax.collections[0].get_array(), float).reshape(len(ratios), len(ratios))
    assert not np.allclose(shown, shown.T)
    own = data[data["panel"] == panel.letter].set_index(["attack_keep_ratio", "keep_ratio"])["mean"]
    last = [text for text in ax.texts if text.get_position()[1] > len(ratios)]
    assert [t.get_text() for t in last] == [f"{natural['natural', k]:.1f}" for k in ratios]
    for (i, made), (j, target) in itertools.product(enumerate(ratios), repeat=2):
        assert shown[i, j] == pytest.approx(own[made, target])
    ticks = [t.get_text() for t in ax.get_yticklabels()]
    assert ticks == [*(f"{100 * k:g}" for k in ratios), "none"]
    assert ax.get_ylabel().startswith("made against")
    assert ax.get_xlabel().startswith("evaluated on")
    texts = {tuple(t.get_position()): t.get_text() for t in ax.texts}
    assert texts[1.5, 0.5] == f"{shown[0, 1]:.1f}"


def test_the_paper_stands_beside_our_heatmap_where_it_survives(drawn):
    axes = named(drawn("fig7").axes)
    ours, paper = axes.values()
    assert [len(ax.patches) for ax in (ours, paper)] == [8, 7]  # one row is missing
    assert "missing in our copy of the paper" in [text.get_text() for text in paper.texts]
    assert {"43.9", "71.3", "unknown"} < {text.get_text() for text in paper.texts}
    known = paper_values("fig7")
    ratios = sorted({column for _, column in known}, key=float)
    drawn_of_paper = np.asarray(paper.collections[0].get_array(), float).reshape(8, 8)
    for (i, made), (j, target) in itertools.product(enumerate(ratios), repeat=2):
        expected = known.get((made, target), math.nan)
        assert drawn_of_paper[i, j] == pytest.approx(expected, nan_ok=True)
    assert [t.get_text() for t in paper.get_xticklabels()] == [
        f"{100 * float(k):g}" for k in ratios
    ]
    assert ours.collections[0].get_clim() == paper.collections[0].get_clim()
    assert len(named(drawn("fig13").axes)) == 2


def test_a_heatmap_says_how_much_of_the_damage_transfers(matrix):
    """Of one ticket images of the other do a third of the damage, of the other all of it."""
    figure = FIGURES["fig7"]
    frame = made_up(matrix, figure.experiments)
    frame = frame[
        frame["source_keep_ratio"].isin([0.05, 0.2]) & frame["keep_ratio"].isin([0.05, 0.2])
    ]
    values = {(0.05, 0.05): 20.0, (0.2, 0.05): 60.0, (0.2, 0.2): 40.0, (0.05, 0.2): 40.0}
    pairs = zip(frame["source_keep_ratio"], frame["keep_ratio"], strict=True)
    natural = np.where(frame["keep_ratio"] == 0.05, 80.0, 60.0)
    robust = [values[pair] for pair in pairs]
    frame["value"] = np.where(frame["measure"] == "natural", natural, robust)
    said = note(figure.draw(figure.build(frame, matrix), matrix))
    assert "do 33 to 100 % of the damage" in said

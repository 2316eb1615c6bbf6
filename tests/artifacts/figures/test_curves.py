"""Line figures: each line is its series, with its spread, its dense network and its gaps."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from tests.artifacts.figures.pictures import CURVES, FIGURES, WORDS, axes_of, named, note
from tests.artifacts.made_up import made_up


@pytest.mark.parametrize("name", [*CURVES, "fig4"])
def test_every_curve_is_its_series_and_its_legend_says_so(name, built, drawn):
    """The line that the legend's words point to runs through the means of what they name."""
    data, picture = built(name), drawn(name)
    x = "noise_eps" if name == "fig4" else "keep_ratio"
    legends = [ax.get_legend() for ax in picture.axes if ax.get_legend()]
    handles = [handle for legend in legends for handle in legend.legend_handles]
    for panel in FIGURES[name].panels:
        for ax in axes_of(panel, picture):
            for series in panel.series:
                compared = len(panel.networks) > 1
                words = f"RST @ {WORDS[series.network][6:]}" if compared else WORDS[series.name]
                (look,) = {
                    (h.get_color(), h.get_marker()) for h in handles if h.get_label() == words
                }
                own = data[(data["panel"] == panel.letter) & (data["series"] == series.name)]
                own = own[own["network_role"] == series.network].sort_values(x)
                (line,) = [
                    line for line in ax.get_lines()
                    if (line.get_color(), line.get_marker()) == look and line.get_linestyle() == "-"
                ]  # fmt: skip
                assert list(line.get_xdata()) == pytest.approx(list(own[x]))
                assert list(line.get_ydata()) == pytest.approx(list(own["mean"]))


@pytest.mark.parametrize("name", CURVES)
def test_axes_say_what_they_show_in_percent(name, drawn):
    for panel in FIGURES[name].panels:
        shown = axes_of(panel, drawn(name))
        assert {ax.get_xlabel() for ax in shown} == {"remaining ratio (%)"}
        ylabels = {ax.get_ylabel() for ax in shown} - {""}
        assert ylabels <= {f"{panel.measure} accuracy (%)"}
        for ax in shown:
            assert ax.get_xscale() == "log"
            ticks, labels = ax.get_xticks(), [t.get_text() for t in ax.get_xticklabels()]
            assert labels == [f"{100 * k:g}" for k in ticks]
    first, *_ = named(drawn(name).axes).values()
    assert first.get_ylabel() == f"{FIGURES[name].panels[0].measure} accuracy (%)"


@pytest.mark.parametrize("name", CURVES)
def test_the_dense_baseline_is_dashed_at_its_mean(name, built, drawn):
    data = built(name)
    for panel in FIGURES[name].panels:
        rows = data[(data["panel"] == panel.letter) & (data["series"] == "dense_adversarial")]
        shown = axes_of(panel, drawn(name))
        assert len(shown) == (2 if panel.zoom else 1)
        for ax in shown:
            dashed = [x.get_ydata()[0] for x in ax.get_lines() if x.get_linestyle() in ("--", ":")]
            assert sorted(dashed) == pytest.approx(sorted(rows["mean"]))


def test_curves_have_bands_of_one_deviation(built, drawn):
    data = built("fig5")
    (ax,) = named(drawn("fig5").axes).values()
    rows = data[data["series"] == "rtt_adversarial"]
    corners = np.concatenate([c.get_paths()[0].vertices for c in ax.collections])
    for _, row in rows.iterrows():
        heights = corners[np.isclose(corners[:, 0], row["keep_ratio"]), 1]
        for edge in (row["mean"] - row["spread"], row["mean"] + row["spread"]):
            assert np.isclose(heights, edge).any()


def test_an_enlargement_shows_all_of_1_to_20_percent_and_no_more(built, drawn):
    data = built("fig2")
    axes = named(drawn("fig2").axes)
    low = data[(data["panel"] == "a") & (data["keep_ratio"] <= 0.2)]
    whole = next(ax for title, ax in axes.items() if title.startswith("(a) ResNet18"))
    zoom = axes["(a) enlarged"]
    left, right = zoom.get_xlim()
    bottom, top = zoom.get_ylim()
    assert left < 0.01
    assert 0.2 < right < 0.3
    assert bottom < (low["mean"] - low["spread"]).min()
    assert top > (low["mean"] + low["spread"]).max()
    assert bottom > whole.get_ylim()[0]
    assert all(line.get_clip_on() for line in zoom.get_lines())
    (outline,) = [p for p in whole.patches if isinstance(p, Rectangle) and p.get_linestyle() == ":"]
    assert outline.get_bbox().extents == pytest.approx([left, bottom, right, top])


def test_a_point_without_cells_is_a_gap_and_the_figure_says_so(matrix):
    def keep(cell):
        return "/rst-keep0.03-" not in cell.path and "seed1/rst-keep0.2-" not in cell.path

    figure = FIGURES["fig5"]
    data = figure.build(made_up(matrix, figure.experiments, keep), matrix)
    at = data.set_index("row").loc[["resnet18/rst@0.03", "resnet18/rst@0.2"]]
    assert list(at["seeds"]) == [0, 2]
    picture = figure.draw(data, matrix)
    (ax,) = named(picture.axes).values()
    curve = next(line for line in ax.get_lines() if line.get_marker() == "o")
    assert np.isnan(curve.get_ydata()).tolist() == [False, True, False, False, False]
    assert f"1 of {len(data)} numbers not measured yet" in note(picture)
    assert "1 from some of the seeds only" in note(picture)

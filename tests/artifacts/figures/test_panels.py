"""The figures: the paper's panels and series, the right numbers in them, and pictures to read."""

import itertools
import math
import re
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from rst_core.identity import TransferRow
from tests.artifacts.made_up import made_up
from workflow.artifacts import style
from workflow.artifacts.figures import r2s_stress
from workflow.artifacts.figures.panels import PanelFigure
from workflow.artifacts.numbers.summary import paper_values
from workflow.artifacts.registry import FIGURES as ALL
from workflow.artifacts.registry import TABLES
from workflow.matrix import Matrix

#: How the config names things; the paper's own FT_RST_Inherit has capital letters.
KEY = re.compile(r"[a-z0-9]_[a-z0-9]")
KEPT = [0.01, 0.03, 0.2, 0.3, 0.9]
SIX = ["rst", "finetuned_inherited", "finetuned_reinitialised"]
RTTS = ["rst", "rtt_natural", "rtt_adversarial"]
INITS = ["signed_kaiming_constant", "kaiming_normal", "xavier_normal", "kaiming_uniform"]
FOUR = [("a", "cifar10", "resnet18"), ("b", "cifar100", "resnet18")]
FOUR += [("c", "cifar10", "wideresnet32"), ("d", "cifar100", "wideresnet32")]


def _four(series, measure):
    return [(letter, data, [network], measure, series) for letter, data, network in FOUR]


def _one(letter, data, series, measure="robust"):
    return [(letter, data, ["resnet18"], measure, series)]


BOTH = ["resnet18", "wideresnet32"]
#: Letter, dataset, networks, measure and series of each panel, from the paper's captions.
PANELS = {
    "fig1": [
        ("a", "cifar10", BOTH, "robust", ["rst", "rst"]),
        ("b", "cifar10", BOTH, "natural", ["rst", "rst"]),
        ("c", "cifar100", BOTH, "robust", ["rst", "rst"]),
        ("d", "cifar100", BOTH, "natural", ["rst", "rst"]),
        *_one("e", "cifar10", INITS),
        *_one("f", "cifar100", INITS),
        *_one("g", "cifar10", ["element", "row", "kernel", "channel"]),
        *_one("h", "cifar10", ["pgd7", "fgsm", "fgsm_rs"]),
    ],
    "fig2": _four(SIX, "robust"),
    "fig3": _four(RTTS, "robust"),
    "fig4": _one(
        "", "cifar10", ["untrained", "dense_natural", "dense_adversarial"], "feature_distance"
    ),
    "fig5": _one("", "cifar10", ["rst", "finetuned_inherited", "rtt_adversarial"]),
    "fig6": [
        *_one("a", "cifar10", SIX),
        *_one("b", "cifar10", SIX),
        *_one("c", "cifar10", RTTS),
        *_one("d", "cifar10", RTTS),
    ],
    "fig7": _one("", "cifar10", ["rst"], "transfer"),
    "fig8": _one("", "cifar100", ["rst", "rtt_adversarial", "rtt_transferred"]),
    "fig9": [*_one("a", "cifar10", INITS, "natural"), *_one("b", "cifar100", INITS, "natural")],
    "fig10": _four(SIX, "natural"),
    "fig11": _four(RTTS, "natural"),
    "fig12": _four(["rst"], "transfer"),
    "fig13": [
        *_one("a", "cifar10", ["rtt_adversarial"], "transfer"),
        *_one("b", "cifar100", ["rtt_adversarial"], "transfer"),
    ],
    "fig14": [
        *_one("a", "svhn", ["rst", "rtt_transferred"]),
        *_one("b", "cifar10", ["rst", "rtt_transferred"]),
    ],
}
FIGURES = {name: figure for name, figure in ALL.items() if isinstance(figure, PanelFigure)}
CURVES = [name for name, figure in FIGURES.items() if figure.module == "curves"]


@pytest.fixture(scope="module")
def matrix(paper):
    """The paper's matrix with fewer keep ratios: as many panels and words, quicker to draw."""
    many = (n for n, one in paper.config.experiments.items() if len(one.keep_ratios) > 8)
    return narrowed(paper, **{name: {"keep_ratios": KEPT} for name in many})


@pytest.fixture(scope="module")
def built(matrix):
    """Data of a figure from all of its cells, of the paper's matrix or another; made once."""

    @cache
    def build(name, on=matrix):
        return FIGURES[name].build(made_up(on, FIGURES[name].experiments), on)

    return build


@pytest.fixture(scope="module")
def drawn(built, matrix):
    """The picture of that data, drawn once: only to be looked at."""

    @cache
    def draw(name, on=matrix):
        return FIGURES[name].draw(built(name, on), on)

    return draw


@pytest.fixture(scope="module", autouse=True)
def _closed():
    with plt.rc_context({"figure.max_open_warning": 0}):
        yield
    plt.close("all")


def narrowed(matrix, **changes):
    """The matrix with other values on some axes of some experiments."""
    experiments = dict(matrix.config.experiments)
    for name, axes in changes.items():
        experiments[name] = experiments[name].model_copy(update=axes)
    return Matrix(matrix.config.model_copy(update={"experiments": experiments}))


def note(picture):
    """The line under a picture, in one line."""
    return " ".join(picture.get_supxlabel().split())


def named(axes):
    """Axes of a picture by their titles; legends' have none."""
    return {ax.get_title(): ax for ax in axes if ax.get_title()}


#: What each series is called in legends; the paper's words [4.1, 4.4 to 4.6, 5.1, 5.2, 6.3].
WORDS = {
    "rst": "RST",
    "resnet18": "RST @ ResNet18",
    "wideresnet32": "RST @ WideResNet32",
    "signed_kaiming_constant": "signed Kaiming constant",
    "kaiming_normal": "Kaiming normal",
    "xavier_normal": "Xavier normal",
    "kaiming_uniform": "Kaiming uniform",
    "element": "element",
    "row": "row",
    "kernel": "kernel",
    "channel": "channel",
    "pgd7": "PGD-7",
    "fgsm": "FGSM",
    "fgsm_rs": "FGSM-RS",
    "finetuned_inherited": "fine-tuned RST, inherited",
    "finetuned_reinitialised": "fine-tuned RST, re-initialised",
    "rtt_natural": "natural RTT",
    "rtt_adversarial": "adversarial RTT",
    "rtt_transferred": "transferred RTT",
    "untrained": "random weights",
    "dense_natural": "natural dense",
    "dense_adversarial": "adversarial dense",
}


def test_a_legend_calls_things_what_they_are():
    assert {name: look.label for name, look in style.LOOKS.items()} == WORDS


@pytest.mark.parametrize("name", [*CURVES, "fig4"])
def test_every_curve_is_its_series_and_its_legend_says_so(name, built, drawn):
    """The line that the legend's words point to runs through the means of what they name."""
    data, picture = built(name), drawn(name)
    axes = named(picture.axes)
    x = "noise_eps" if name == "fig4" else "keep_ratio"
    legends = [ax.get_legend() for ax in picture.axes if ax.get_legend()]
    handles = [handle for legend in legends for handle in legend.legend_handles]
    for panel in FIGURES[name].panels:
        start = f"({panel.letter})" if panel.letter else ""
        for ax in (ax for title, ax in axes.items() if title.startswith(start)):
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
def test_axes_say_what_they_show_in_percent(name, built, drawn):
    axes = named(drawn(name).axes)
    for panel in FIGURES[name].panels:
        start = f"({panel.letter})" if panel.letter else ""
        shown = [ax for title, ax in axes.items() if title.startswith(start)]
        assert {ax.get_xlabel() for ax in shown} == {"remaining ratio (%)"}
        ylabels = {ax.get_ylabel() for ax in shown} - {""}
        assert ylabels <= {f"{panel.measure} accuracy (%)"}
        for ax in shown:
            assert ax.get_xscale() == "log"
            ticks, labels = ax.get_xticks(), [t.get_text() for t in ax.get_xticklabels()]
            assert labels == [f"{100 * k:g}" for k in ticks]
    first = next(iter(axes.values()))
    assert first.get_ylabel() == f"{FIGURES[name].panels[0].measure} accuracy (%)"


def test_the_distances_axes_are_noise_and_distance(drawn):
    (ax,) = named(drawn("fig4").axes).values()
    assert ax.get_xlabel() == "magnitude of the noise ε (1/255)"
    assert ax.get_ylabel() == "normalised distance of features"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["2", "4", "8", "12", "16"]
    assert ax.get_ylim()[0] == 0


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
        assert (mesh.colorbar.vmin, mesh.colorbar.vmax) == (low, high)
        for text in ax.texts:
            if (value := text.get_text()).replace(".", "").isdigit():
                told = text.get_color() in ("white", "w")
                assert told == (float(value) < (low + high) / 2), "dark cells have white numbers"
        outlined = [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in ax.patches]
        assert all(box == (i, i, 1, 1) for box in outlined for i in [box[0]])
    (scales,) = {ax.collections[0].get_clim() for ax in named(drawn("fig7").axes).values()}
    both = np.concatenate([np.asarray(ax.collections[0].get_array(), float).ravel()
                           for ax in named(drawn("fig7").axes).values()])  # fmt: skip
    assert scales == pytest.approx((np.nanmin(both), np.nanmax(both)))


def test_every_figure_of_the_paper_is_there():
    assert list(FIGURES) == [f"fig{i}" for i in range(1, 15)] == list(PANELS)
    assert FIGURES["fig9"].heading.startswith("Figure 9 (supplement's Figure 1): ")
    assert FIGURES["fig14"].heading.startswith("Figure 14 (supplement's Figure 6): ")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_the_papers_panels_and_series_in_its_order(name):
    found = [
        (p.letter, p.dataset, p.networks, p.measure, [s.name for s in p.series])
        for p in FIGURES[name].panels
    ]
    assert found == PANELS[name]


def test_larger_eps_and_enlargements_are_where_the_paper_has_them():
    assert [panel.eps for panel in FIGURES["fig6"].panels] == [12, 16, 12, 16]
    zoomed = {name for name, figure in FIGURES.items() if any(p.zoom for p in figure.panels)}
    assert zoomed == {"fig2", "fig3", "fig10", "fig11"}
    assert all(p.zoom for name in zoomed for p in FIGURES[name].panels)


@pytest.mark.parametrize("name", FIGURES)
def test_the_papers_matrix_plans_every_series(name, matrix):
    for panel in FIGURES[name].panels:
        assert len(panel.planned(matrix)) == len(panel.series) + len(panel.dense)


@pytest.mark.parametrize("name", CURVES)
def test_a_figure_has_every_point_once(name, built):
    data = built(name)
    figure = FIGURES[name]
    points = sum(len(KEPT) * len(p.series) + len(p.dense) for p in figure.panels)
    assert len(data) == points
    assert not data.duplicated(["panel", "row", "column"]).any()
    assert data["mean"].notna().all()
    assert (data["seeds"] == 3).all()


@pytest.mark.parametrize(
    ("name", "panel", "row", "column", "model", "eps"),
    [
        ("fig1", "a", "wideresnet32/rst@0.03", "cifar10/robust", "rst-keep0.03-element-pgd7", 8),
        ("fig1", "h", "resnet18/fgsm_rs@0.2", "cifar10/robust", "rst-keep0.2-element-fgsm_rs", 8),
        ("fig1", "g", "resnet18/row@0.2", "cifar10/robust", "rst-keep0.2-row-pgd7", 8),
        ("fig6", "d", "resnet18/rtt_natural@0.2", "cifar10/robust-eps16",
         "rtt_natural-keep0.2-element-pgd7", 16),
        ("fig6", "a", "resnet18/dense_adversarial@1", "cifar10/robust-eps12",
         "dense-adversarial-pgd7", 12),
        ("fig10", "c", "wideresnet32/rst@0.9", "cifar10/natural", "rst-keep0.9-element-pgd7", 8),
        ("fig14", "a", "resnet18/dense_adversarial@1", "svhn/robust", "dense-adversarial-pgd7", 8),
    ],
)  # fmt: skip
def test_a_point_is_mean_and_spread_of_its_cells(
    name, panel, row, column, model, eps, built, matrix
):
    frame = made_up(matrix, FIGURES[name].experiments)
    dataset, measure = column.split("/")
    start = f"{dataset}/{row.split('/')[0]}/signed_kaiming_constant-seed"
    end = f"{model}-eps{eps}/best_val/pgd20-eps{eps}.json"
    cells = [f"{start}{seed}/{end}" for seed in (0, 1, 2)]
    own = frame[frame["cell"].isin(cells) & (frame["measure"] == measure.split("-")[0])]
    assert len(own) == 3
    at = built(name).set_index(["panel", "row", "column"]).loc[(panel, row, column)]
    assert at["mean"] == pytest.approx(own["value"].mean())
    assert at["spread"] == pytest.approx(own["value"].std(ddof=1))


def test_distances_are_over_the_noise_with_their_spread(built, matrix):
    data = built("fig4").set_index(["series", "noise_eps"])
    frame = made_up(matrix, ["features"])
    own = frame[(frame["model"] == "untrained") & (frame["noise_eps"] == 8)]["value"]
    assert data.loc[("untrained", 8), "mean"] == pytest.approx(own.mean())
    assert data.loc[("untrained", 8), "spread"] == pytest.approx(own.std(ddof=1))
    assert list(data.loc["dense_natural"].index) == [2, 4, 8, 12, 16]


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
    shown = np.asarray(ax.collections[0].get_array(), float).reshape(len(ratios), len(ratios))
    assert not np.allclose(shown, shown.T)
    own = data[data["panel"] == panel.letter].set_index(["attack_keep_ratio", "keep_ratio"])["mean"]
    for (i, made), (j, judged) in itertools.product(enumerate(ratios), repeat=2):
        assert shown[i, j] == pytest.approx(own[made, judged])
    assert [t.get_text() for t in ax.get_yticklabels()] == [f"{100 * k:g}" for k in ratios]
    assert ax.get_ylabel().startswith("made against")
    assert ax.get_xlabel().startswith("evaluated on")
    texts = {tuple(t.get_position()): t.get_text() for t in ax.texts}
    assert texts[1.5, 0.5] == f"{shown[0, 1]:.1f}"


def test_a_figure_needs_no_cell_that_it_does_not_show(matrix):
    rows = FIGURES["fig7"].cells(matrix)
    assert len(rows) == 8 * 3
    assert all(isinstance(cell, TransferRow) for cell in rows)
    assert {c.path.split("/")[0:2] == ["cifar10", "resnet18"] for c in rows} == {True}
    assert len(FIGURES["fig5"].cells(matrix)) == 3 * (3 * len(KEPT) + 1)


def test_published_points_stand_beside_ours(built):
    data = built("fig1").set_index(["panel", "row"])
    told = data.loc[("a", "resnet18/rst@0.2")]  # in the text, and 47.8 in Figure 7
    assert told["paper"] == pytest.approx(48.11)
    assert told["difference"] == pytest.approx(told["mean"] - 48.11)
    assert data.loc[("a", "resnet18/rst@0.03"), "paper"] == pytest.approx(43.9)  # Figure 7
    assert pd.isna(data.loc[("b", "resnet18/rst@0.03"), "paper"])
    assert pd.isna(data.loc[("e", "resnet18/kaiming_normal@0.2"), "paper"])
    assert built("fig6")["paper"].isna().all()  # what is published is about eps 8


@pytest.mark.parametrize("name", ["fig1", "fig7", "fig14"])
def test_numbers_on_a_stand_in_are_never_compared_with_the_papers(name, demo, built, drawn):
    assert built(name, demo)["difference"].isna().all()
    if name != "fig7":  # there the paper's matrix stands apart
        picture = drawn(name, demo)
        labels = [t.get_text() for ax in picture.axes if ax.get_legend()
                  for t in ax.get_legend().get_texts()]  # fmt: skip
        assert "the paper's" not in labels


@pytest.mark.parametrize("name", FIGURES)
def test_every_panel_on_a_stand_in_says_so(name, demo, drawn):
    picture = drawn(name, demo)
    titles = [t for t in named(picture.axes) if "enlarged" not in t and "paper's" not in t]
    assert len(titles) == sum(bool(panel.planned(demo)) for panel in FIGURES[name].panels)
    assert all("stand-in for" in title for title in titles)
    assert "handwritten digits" in note(picture)


@pytest.mark.parametrize("name", CURVES)
def test_the_dense_baseline_is_dashed_at_its_mean(name, built, drawn):
    data = built(name)
    axes = named(drawn(name).axes)
    for panel in FIGURES[name].panels:
        rows = data[(data["panel"] == panel.letter) & (data["series"] == "dense_adversarial")]
        start = f"({panel.letter})" if panel.letter else ""
        shown = [ax for title, ax in axes.items() if title.startswith(start)]
        assert len(shown) == (2 if panel.zoom else 1)
        for ax in shown:
            dashed = [x.get_ydata()[0] for x in ax.get_lines() if x.get_linestyle() in ("--", ":")]
            assert sorted(dashed) == pytest.approx(sorted(rows["mean"]))


def test_curves_run_through_all_points_with_bands_of_one_deviation(built, drawn):
    data = built("fig5")
    (ax,) = named(drawn("fig5").axes).values()
    colour, marker, _ = style.LOOKS["rtt_adversarial"]
    (line,) = [x for x in ax.get_lines() if (x.get_color(), x.get_marker()) == (colour, marker)
               and x.get_linestyle() == "-"]  # fmt: skip
    rows = data[data["series"] == "rtt_adversarial"].sort_values("keep_ratio")
    assert list(line.get_xdata()) == KEPT
    assert list(line.get_ydata()) == pytest.approx(list(rows["mean"]))
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


@pytest.mark.parametrize("name", ["fig2", "fig4", "fig12"])
def test_a_panel_whose_cells_are_still_to_be_made_says_so(name, demo):
    figure = FIGURES[name]
    picture = figure.draw(figure.build(made_up(demo, []), demo), demo, "of today")
    shown = named(picture.axes)
    assert len(shown) == sum(1 + p.zoom for p in figure.panels if p.planned(demo))
    for ax in shown.values():
        assert "no cells yet" in [text.get_text() for text in ax.texts]
    assert note(picture).startswith("of today; ")


@pytest.mark.parametrize(
    ("name", "letters", "told"),
    [
        ("fig1", "abegh", "panels (c), (d), (f)"),
        ("fig2", "a", "panels (b), (c), (d)"),
        ("fig9", "a", "panel (b)"),
        ("fig12", "ab", "panels (c), (d)"),
        ("fig13", "a", "panel (b)"),
        ("fig14", "ab", ""),
    ],
)
def test_panels_that_the_matrix_lacks_are_left_out_and_named(name, letters, told, demo, drawn):
    picture = drawn(name, demo)
    titles = [title for title in named(picture.axes) if "enlarged" not in title]
    assert [title[:3] for title in titles] == [f"({letter})" for letter in letters]
    assert "not in this matrix" not in [t.get_text() for ax in picture.axes for t in ax.texts]
    found = note(picture)
    assert (f"not in this matrix: the paper's {told}; " in found) if told else "panel" not in found


def legend(picture):
    found = (ax.get_legend() for ax in picture.axes)
    return [text.get_text() for one in found if one for text in one.get_texts()]


def test_a_legend_has_only_series_of_the_matrix(demo, drawn):
    assert sorted(legend(drawn("fig1", demo))) == sorted([
        "RST @ ResNet18 (width 1/4)", "ResNet18 (width 1/4) (dense)",
        "signed Kaiming constant", "Kaiming normal", "adversarial dense",
        "element", "channel", "adversarial dense",
        "PGD-7", "FGSM", "FGSM-RS", "adversarial dense",
    ])  # fmt: skip
    assert legend(drawn("fig6", demo)) == ["RST", "adversarial dense"] * 2


def test_an_enlargement_stays_beside_its_panel_when_the_grid_closes_up(demo):
    narrow = narrowed(
        demo,
        existence={"networks": ["wideresnet32"], "datasets": ["cifar10"]},
        finetuning={"networks": ["resnet18"], "datasets": ["cifar10", "cifar100"]},
    )
    figure = FIGURES["fig2"]
    picture = figure.draw(figure.build(made_up(narrow, figure.experiments), narrow), narrow)
    rows = {title[:3]: [] for title in named(picture.axes)}
    for title, ax in named(picture.axes).items():
        rows[title[:3]].append(ax.get_subplotspec().rowspan.start)
    assert rows == {"(a)": [0, 0], "(b)": [0, 0], "(c)": [2, 2]}


def test_a_series_that_the_config_lacks_is_named_with_its_panels(demo, matrix, built):
    figure = FIGURES["fig3"]
    narrow = narrowed(demo, existence={"networks": BOTH}, rtts={"networks": ["resnet18"]})
    picture = figure.draw(figure.build(made_up(narrow, figure.experiments), narrow), narrow)
    assert "natural RTT (c); adversarial RTT (c); " in note(picture)
    (wide,) = [ax for title, ax in named(picture.axes).items() if title.startswith("(c) W")]
    assert any(len(line.get_xdata()) > 1 and line.get_marker() == "o" for line in wide.lines)
    assert "not in this matrix" not in note(figure.draw(built("fig3"), matrix))


def test_flags_of_all_seeds_are_in_the_data_and_counted(matrix):
    figure = FIGURES["fig5"]
    frame = made_up(matrix, figure.experiments)
    one = frame["cell"].str.contains("seed1/rst-keep0.2-")
    frame["flags"] = frame["flags"].astype(object)
    frame.loc[one, "flags"] = "masked;weak"
    data = figure.build(frame, matrix)
    flags = data.set_index("row")["flags"]
    assert flags[flags != ""].to_dict() == {"resnet18/rst@0.2": "masked;weak"}
    assert "1 with a remark in the CSV: masked; weak" in note(figure.draw(data, matrix))


def test_ratios_that_are_still_missing_are_named(matrix):
    figure = FIGURES["fig5"]
    frame = made_up(matrix, figure.experiments)
    data = figure.build(frame[~frame["keep_ratio"].isin([0.2, 0.3])], matrix)
    told = "6 of 16 numbers not measured yet: ratios 20, 30 %"
    assert told in note(figure.draw(data, matrix))


def test_the_paper_stands_beside_our_heatmap_where_it_survives(drawn):
    axes = named(drawn("fig7").axes)
    ours, paper = axes.values()
    assert all(ax.collections[0].colorbar for ax in (ours, paper))
    assert [len(ax.patches) for ax in (ours, paper)] == [8, 7]  # one row is lost in the text
    assert "lost in the text" in [text.get_text() for text in paper.texts]
    assert {"43.9", "71.3"} < {text.get_text() for text in paper.texts}
    known = paper_values("fig7")
    ratios = sorted({column for _, column in known}, key=float)
    drawn_of_paper = np.asarray(paper.collections[0].get_array(), float).reshape(8, 8)
    for (i, made), (j, judged) in itertools.product(enumerate(ratios), repeat=2):
        expected = known.get((made, judged), math.nan)
        assert drawn_of_paper[i, j] == pytest.approx(expected, nan_ok=True)
    assert [t.get_text() for t in paper.get_xticklabels()] == [
        f"{100 * float(k):g}" for k in ratios
    ]
    assert ours.collections[0].get_clim() == paper.collections[0].get_clim()
    assert len(named(drawn("fig13").axes)) == 2


def test_the_same_thing_looks_the_same_in_all_figures(drawn):
    looks = {}
    for name in CURVES:
        for ax in drawn(name).axes:
            for handle in ax.get_legend().legend_handles if ax.get_legend() else []:
                look = (handle.get_color(), handle.get_marker(), handle.get_linestyle())
                assert looks.setdefault(handle.get_label(), look) == look
    default = {"RST", "RST @ ResNet18", "signed Kaiming constant", "element", "PGD-7"}
    assert len({looks[label] for label in default}) == 1
    dense = {"adversarial dense", "ResNet18 (dense)", "WideResNet32 (dense)"}
    labels = {c: {k for k, v in looks.items() if v[0] == c} for c, _, _ in looks.values()}
    assert [one for one in labels.values() if len(one) > 1 and one not in (default, dense)] == []


def test_a_colour_has_one_meaning():
    default = {"rst", "resnet18", "signed_kaiming_constant", "element", "pgd7"}
    colours = {"RST" if name in default else name: c for name, (c, _, _) in style.LOOKS.items()}
    attacks = {colour for colour, _ in r2s_stress._LOOKS.values()}
    assert len({*colours.values(), *attacks}) == len(colours) + len(attacks)


@pytest.mark.parametrize("artifact", [*TABLES.values(), *ALL.values()], ids=lambda one: one.name)
def test_no_caption_has_a_key_of_the_config(artifact):
    assert not KEY.search(f"{artifact.title} {artifact.caption}")


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("which", ["matrix", "demo"])
def test_a_picture_is_readable_at_the_width_of_the_papers_text(name, which, drawn, request):
    picture = drawn(name, request.getfixturevalue(which))
    assert picture.get_figwidth() <= style.TEXT_WIDTH
    picture.canvas.draw()
    shown = [text for text in words(picture) if text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in shown]
    assert min(text.get_fontsize() for text in shown) >= style.SMALL
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        width = min(a.x1, b.x1) - max(a.x0, b.x0)
        height = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert width < 2 or height < 2, f"{one!r} and {other!r} overlap"
    assert [text for text, _ in boxes if KEY.search(text)] == []
    page = picture.bbox.padded(15)  # of 550 pixels; files are fitted to what is drawn
    assert [t for t, b in boxes if b.x0 < page.x0 or b.x1 > page.x1] == []


def words(picture):
    """All texts that a reader sees; axes keep more labels than they show."""
    yield picture._supxlabel
    for ax in picture.axes:
        yield from ax.get_legend().get_texts() if ax.get_legend() else []
        if ax.axison:
            yield from [ax.title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
            inside = ax.get_window_extent().padded(1)
            for label in ax.get_xticklabels():
                box = label.get_window_extent()
                if inside.x0 <= (box.x0 + box.x1) / 2 <= inside.x1:
                    yield label
            for label in ax.get_yticklabels():
                box = label.get_window_extent()
                if inside.y0 <= (box.y0 + box.y1) / 2 <= inside.y1:
                    yield label

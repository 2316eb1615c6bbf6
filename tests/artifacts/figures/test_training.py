"""Training curves: of which models, what is drawn of them, and what is never drawn."""

import itertools
from dataclasses import replace

import pytest
from matplotlib.colors import to_rgb

from tests.artifacts.figures.training_curves import draw, epochs, rsts
from workflow.artifacts.figures import training
from workflow.artifacts.figures.training_parts import trained


def test_the_data_have_a_row_for_each_model_and_epoch_and_one_chosen_epoch_each(demo):
    data, _ = draw("existence", demo)
    models = data.groupby("cell")
    assert models.ngroups == len(trained(demo, "existence"))
    for path, rows in models:
        assert list(rows["epoch"]) == list(range(1, len(rows) + 1)), path
        assert rows["chosen"].sum() == 1
    assert data["data"].str.contains("stand-in for CIFAR-10").all()


def test_a_row_of_panels_for_each_kind_of_model_says_what_it_is_of(demo):
    _, picture = draw("finetuning", demo)
    titles = [title for ax in picture.axes if (title := ax.get_title(loc="left"))]
    kinds = ["RST", "fine-tuned RST, inherited", "fine-tuned RST, re-initialised"]
    assert [title.partition(":")[0] for title in titles] == kinds
    assert all("† (stand-in for CIFAR-10" in title for title in titles)
    assert all(title.endswith(", ε = 8/255") for title in titles)
    labels = [ax.get_ylabel() for ax in picture.axes[:4]]
    assert labels == ["natural (%)", "robust (%)", "loss", "learning rate"]


def test_a_line_is_a_model_over_its_epochs_lighter_where_fewer_weights_remain(demo):
    _, picture = draw("existence", demo)
    drawn = [line for line in picture.axes[2].lines if len(line.get_xdata())]
    assert len(drawn) == len(rsts(demo))
    for line in drawn:
        assert list(line.get_xdata()) == sorted(line.get_xdata())
    brightness = [sum(to_rgb(line.get_color())) for line in drawn]
    assert brightness == sorted(brightness, reverse=True), "in the order of their keep ratios"


def test_a_ratio_has_one_shade_in_all_figures(demo):
    shades = {
        name: {line.get_color() for line in draw(name, demo)[1].axes[2].lines}
        for name in ("existence", "transfer_seeds", "r2s_stress")
    }
    assert [len(found) for found in shades.values()] == [4, 1, 2]
    assert shades["transfer_seeds"] < shades["r2s_stress"] < shades["existence"]


def test_no_curve_lies_on_the_frame_of_its_panel(demo):
    steep, flat = trained(demo, "patterns")
    curves = {
        steep: [replace(one, train_loss=50 + one.epoch) for one in epochs(steep, demo)],
        flat: [replace(one, train_loss=11 + 0.01 * one.epoch) for one in epochs(flat, demo)],
    }
    picture = training.draw("patterns", training.build("patterns", curves, demo), demo)
    for ax in picture.axes[2::4]:
        low, high = ax.get_ylim()
        values = [value for line in ax.lines for value in line.get_ydata()]
        assert min(values) - low > 0.04 * (high - low)
        assert high - max(values) > 0.04 * (high - low)
    assert [ax.get_ylim()[0] for ax in picture.axes[3::4]] == [0, 0]


@pytest.mark.parametrize(("name", "told"), [("transfer_seeds", "2 seeds"), ("rtts", "1 seed;")])
def test_the_seeds_under_a_picture_are_those_of_its_curves(demo, name, told):
    _, picture = draw(name, demo)
    assert told in " ".join(picture.texts[0].get_text().split())


def test_what_is_missing_or_not_measured_says_so(demo):
    _, picture = draw("transfer_dense", demo, of=lambda cell: cell.model.adversary is None)
    words = [[text.get_text() for text in ax.texts] for ax in picture.axes]
    assert words == [[], ["trained naturally"], [], [], *[["no models yet"]] * 4]
    assert "1 of 2 models have no curve yet" in " ".join(picture.texts[0].get_text().split())


@pytest.mark.parametrize(
    ("name", "of"),
    [("existence", "paper"), ("transferred_svhn", "demo"), ("imagenet_dense", "demo")],
)
def test_nothing_is_cut_off_and_nothing_covers_anything(name, of, request):
    # Its places are counted, not found by a layout engine.
    matrix = request.getfixturevalue(of)
    _, picture = draw(name, matrix, of=lambda cell: getattr(cell.model, "keep_ratio", 1) >= 0.2)
    picture.set_dpi(50)
    picture.canvas.draw()
    titles = [ax._left_title for ax in picture.axes if ax.get_title(loc="left")]
    labels = [ax.xaxis.label for ax in picture.axes[-4:]] + [ax.yaxis.label for ax in picture.axes]
    legends = [text for legend in picture.legends for text in legend.get_texts()]
    for one in (*titles, *labels, *legends, picture.texts[0]):
        box = one.get_window_extent()
        assert (box.min >= picture.bbox.min - 1).all(), one
        assert (box.max <= picture.bbox.max + 1).all(), one
    for lower, upper in itertools.pairwise([picture.texts[0], *picture.legends, labels[0]]):
        assert lower.get_window_extent().y1 <= upper.get_window_extent().y0 + 1

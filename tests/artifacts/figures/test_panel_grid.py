"""Where panels stand, what their titles, legends and remarks say, and that all can be read."""

import itertools

import pytest

from tests.artifacts.figures.pictures import BOTH, CURVES, FIGURES, KEY, named, narrowed, note
from tests.artifacts.made_up import made_up
from workflow.artifacts import style


@pytest.mark.parametrize("name", FIGURES)
def test_every_panel_on_a_stand_in_says_so(name, demo, drawn):
    picture = drawn(name, demo)
    titles = [t for t in named(picture.axes) if "enlarged" not in t and "paper's" not in t]
    assert len(titles) == sum(bool(panel.planned(demo)) for panel in FIGURES[name].panels)
    assert all("stand-in for" in title for title in titles)
    assert "handwritten digits" in note(picture)


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


def test_ratios_that_are_still_missing_are_named(matrix):
    figure = FIGURES["fig5"]
    frame = made_up(matrix, figure.experiments)
    data = figure.build(frame[~frame["keep_ratio"].isin([0.2, 0.3])], matrix)
    told = "6 of 16 numbers not measured yet: ratios 20, 30 %"
    assert told in note(figure.draw(data, matrix))


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

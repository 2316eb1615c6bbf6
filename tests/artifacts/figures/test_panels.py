"""The data of a figure: which cells make which point, and what the paper has beside it."""

import pandas as pd
import pytest

from rst_core.identity import TransferRow
from tests.artifacts.figures.pictures import CURVES, FIGURES, KEPT, note
from tests.artifacts.made_up import made_up
from workflow.artifacts.figures import curves


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


def test_a_figures_own_file_of_the_papers_numbers_is_read_too(matrix, monkeypatch):
    own = {("resnet18/finetuned_inherited@0.2", "cifar10/robust"): 51.5}
    known = curves.paper_values
    monkeypatch.setattr(curves, "paper_values", lambda name: own if name == "fig2" else known(name))
    figure = FIGURES["fig2"]
    data = figure.build(made_up(matrix, figure.experiments), matrix)
    papers = data.set_index(["row", "column"])["paper"]
    assert papers[("resnet18/finetuned_inherited@0.2", "cifar10/robust")] == pytest.approx(51.5)
    assert papers[("resnet18/rst@0.03", "cifar10/robust")] == pytest.approx(43.9)  # Figure 7


@pytest.mark.parametrize("name", ["fig1", "fig7", "fig14"])
def test_numbers_on_a_stand_in_are_never_compared_with_the_papers(name, demo, built, drawn):
    assert built(name, demo)["difference"].isna().all()
    if name != "fig7":  # there the paper's matrix stands apart
        picture = drawn(name, demo)
        labels = [t.get_text() for ax in picture.axes if ax.get_legend()
                  for t in ax.get_legend().get_texts()]  # fmt: skip
        assert "the paper's" not in labels


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

"""From a table's declaration to its numbers: which stand there, and which cells they ask for."""

import pandas as pd
import pytest

from rst_core.identity import Evaluation, Ticket
from tests.artifacts.tables.made_up_tables import built, made_up, of_table
from workflow.artifacts.numbers.summary import paper_values
from workflow.artifacts.tables.entries import TABLES
from workflow.matrix import Matrix


@pytest.mark.parametrize("name", TABLES)
def test_a_table_shows_every_number_of_the_paper_beside_ours_from_its_own_cells(name, paper):
    data = built(name, paper)
    published = data[data["paper"].notna()].set_index(["row", "column"])
    assert set(published.index) == set(paper_values(name))
    others = published.index.get_level_values("row").str.contains("adversarial_lottery_ticket")
    assert (published.loc[~others, "seeds"] == 3).all()
    assert (published.loc[others, "seeds"] == 0).all()
    counts = published.index.get_level_values("column").str.contains("parameters_m")
    assert published.loc[~others & ~counts, "difference"].notna().all()
    assert published.loc[counts, "difference"].isna().all()
    assert not data.duplicated(["row", "column"]).any()


@pytest.mark.parametrize("name", [f"table{i}" for i in range(1, 10)])
def test_a_table_asks_for_no_kind_of_cell_in_vain(name, paper):
    """Leaving out any kind is seen in the table."""

    def kind(cell):
        return type(cell), cell.attack, type(cell.model)

    cells = TABLES[name].cells(paper)
    full = built(name, paper)["seeds"].sum()
    for left_out in set(map(kind, cells)):
        rest = [cell for cell in cells if kind(cell) != left_out]
        assert TABLES[name].build(made_up(paper, rest), paper)["seeds"].sum() < full, left_out


def test_other_candidate_sets_than_the_papers_are_not_compared_with_it(paper):
    experiments = dict(paper.config.experiments)
    experiments["r2s"] = experiments["r2s"].model_copy(update={"keep_ratios": [0.05, 0.2]})
    other = Matrix(paper.config.model_copy(update={"experiments": experiments}))
    data = TABLES["table3"].build(of_table("table3", other), other).set_index(["row", "column"])
    r2s, dense = (data.loc[(f"resnet18/{m}", "cifar10/robust")] for m in ("r2s", "dense"))
    assert r2s["mean"] == pytest.approx(40)
    assert r2s["paper"] == pytest.approx(63.93)
    assert pd.isna(r2s["difference"])
    assert dense["difference"] == pytest.approx(40 - 50.19)


def test_a_table_asks_for_no_cell_that_it_does_not_show(paper):
    """Table 4 shows two of the attacks on dense networks, section 4.7 two tickets."""
    cells = TABLES["table4"].cells(paper)
    assert {c.attack for c in cells} == {"auto_attack", "cw_inf"}
    assert not [c for c in cells if isinstance(c, Evaluation) and isinstance(c.model, Ticket)]
    assert len(TABLES["sec47"].cells(paper)) == 2 * 3


@pytest.mark.parametrize("name", ["table1", "table3", "table4", "table7"])
def test_numbers_stand_in_the_papers_order(name, paper):
    """The files of these tables follow the paper row by row; a grid keeps the data's order."""
    data = built(name, paper).dropna(subset="paper")
    assert list(zip(data["row"], data["column"], strict=True)) == list(paper_values(name))

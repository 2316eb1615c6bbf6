"""Which rows and columns stand where, and what is marked."""

import numpy as np
import pytest

from tests.artifacts.tables.made_up_tables import of_table, shown
from workflow.artifacts.tables.entries import TABLES
from workflow.artifacts.tables.layout import latex, markdown
from workflow.artifacts.tables.picture import picture


def test_the_matrix_of_the_config_is_shown_beside_the_papers_own(demo):
    grid = shown("table2", demo)
    assert [row[-1] for row in grid.rows] == [
        "Dense", "RST@5%", "RST@7%", "RST@10%", "RST@15%", "RST@20%", "RST@50%",
    ]  # fmt: skip
    by_row = {row[-1]: line for row, line in zip(grid.rows, grid.entries, strict=True)}
    assert by_row["RST@5%"][0].ours == "–"
    assert by_row["RST@5%"][0].paper == "61.11"
    assert by_row["RST@50%"][0].ours == "40.00"
    assert by_row["RST@50%"][0].paper == ""


def test_heads_are_grouped_and_ordered_as_in_the_paper(paper):
    grid = shown("table6", paper)
    assert grid.stub == ("Network", "Remaining\nRatio (%)")
    assert grid.spans(0) == [
        ("Auto-Attack", 0, 1), ("CW-L2", 2, 2), ("CW-Inf", 3, 4), ("Bandits", 5, 6),
    ]  # fmt: skip
    assert [c[1] for c in grid.columns[:3]] == ["ε = 8/255", "ε = 12/255", "–"]
    assert grid.rows[:3] == (
        ("ResNet18 (Dense)", "100%"), ("RST @ ResNet18", "5%"), ("RST @ ResNet18", "10%"),
    )  # fmt: skip
    grid = shown("table8", paper)
    assert [label for label, _, _ in grid.spans(1)] == ["ResNet18", "WideResNet32"] * 2
    assert [row[0] for row in grid.rows][:2] == ["Dense", "3%, 5%, 7%, 10%"]
    grid = shown("table1", paper)
    assert [row[2] for row in grid.rows] == ["2/255"] * 3 + ["4/255"] * 3
    assert [c[0] for c in grid.columns] == ["# Parameter (M)", "Natural Acc (%)", "Robust Acc (%)"]
    assert [i for i in range(6) if grid.begins_group(i)] == [3]
    assert [row[0] for row in shown("table5", paper).rows] == [
        "Dense@PGD-20", "R2S@EOT", "R2S@Ensemble",
    ]  # fmt: skip


def test_one_network_in_two_roles_is_told_apart(demo):
    grid = shown("table1", demo)
    assert {row[0] for row in grid.rows[-3:]} == {
        "RST @ ResNet50 (as ResNet50)", "RST @ ResNet50 (as ResNet101)",
    }  # fmt: skip
    assert len(grid.rows) == 7


@pytest.mark.parametrize("name", TABLES)
def test_a_stand_in_is_named_above_the_numbers_of_every_table(name, demo):
    grid = shown(name, demo)
    assert any("† (stand-in" in " ".join(x).replace("\n", " ") for x in grid.columns + grid.rows)


def test_flags_become_footnotes_in_every_format(paper):
    frame = of_table("table4", paper)
    frame["flags"] = np.where(frame["attack"] == "auto_attack", "weak", None)
    data = TABLES["table4"].build(frame, paper)
    grid = shown("table4", paper, data, {"weak": "100 % of it_is weak"})
    assert grid.footnotes == {"a": "100 % of it_is weak"}
    marked = [[e.marks for e in line] for line in grid.entries]
    assert marked == [[("a",), ("a",), (), ()]] * 4
    page = markdown(grid, "T", "C")
    assert page.count("40.00 ± 0.00<sup>a</sup>") == 8
    assert "- <sup>a</sup> 100 % of it_is weak" in page
    source = latex(grid, "table4", "T", "C")
    assert source.count(r"\textsuperscript{a}\\(") == 8
    assert r"\textsuperscript{a} 100 \% of it\_is weak" in source
    drawn = picture(grid, "T", "C").texts
    texts = [text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in drawn]
    assert texts.count("a") == 8
    assert any("a: 100 % of it_is weak" in text for text in texts)

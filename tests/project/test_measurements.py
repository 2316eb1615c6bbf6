"""The committed tables are those of the committed cells."""

import re

import pandas as pd
import pytest

from measurements.figures import NAMES, draw
from measurements.numbers import cells, own_pgd20
from measurements.tables import DOCUMENT, README, SUMMARY, filled, made


def test_no_number_in_the_tables_is_typed_in():
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == filled(text), "run: python -m measurements.tables"
    said = f"<!-- measured: {SUMMARY} -->\n{made(SUMMARY)}\n<!-- end -->"
    assert said in README.read_text(encoding="utf-8"), "run: python -m measurements.tables"
    assert text.count("<!-- measured:") == text.count("<!-- end -->") >= 4


def test_the_real_image_run_makes_sense():
    """Clearly above chance (10 %), PGD-20 below natural, diagonal below the rest."""
    frame = cells("cifar10_6k/resnet18_quarter")
    own = frame[(frame["kind"] == "Evaluation") & (frame["attack"] == "pgd20")]
    for _, group in own.groupby("cell"):
        by = group.set_index("measure")["value"]
        assert 15 < by["robust"] < by["natural"]
    rows = frame[(frame["kind"] == "TransferRow") & (frame["measure"] == "robust")]
    for attack in ("pgd20", "pgd20_full"):
        matrix = rows[rows["attack"] == attack].pivot_table(
            index="source_keep_ratio", columns="keep_ratio", values="value"
        )
        assert matrix.shape == (3, 3)
        for keep_ratio in matrix:
            others = matrix[keep_ratio].drop(keep_ratio)
            assert matrix.loc[keep_ratio, keep_ratio] < others.min()


def test_the_run_on_all_images_is_of_all_images_and_makes_sense():
    own = own_pgd20("cifar10_50k/resnet18_quarter")
    assert set(own["total"]) == {10_000}
    assert own["cell"].nunique() == 4
    for _, group in own.groupby("cell"):
        by = group.set_index("measure")["value"]
        assert 20 < by["robust"] < by["natural"]


@pytest.mark.parametrize("name", ["fig7", "fig7_all_steps"])
def test_a_ticket_on_real_images_is_weakest_against_its_own(name, tmp_path):
    """Drawn from the committed cells, also where an attack takes all of its steps [6.1]."""
    draw(name, tmp_path / name)
    assert (tmp_path / f"{name}.png").is_file()
    data = pd.read_csv(tmp_path / f"{name}.csv")
    for _, panel in data[data["measure"] == "robust"].groupby("panel", dropna=False):
        matrix = panel.pivot(index="attack_keep_ratio", columns="keep_ratio", values="mean")
        assert list(matrix.index) == list(matrix.columns) == [0.05, 0.1, 0.2]
        assert list(matrix.idxmin()) == list(matrix.columns)


def test_damage_transfers_more_if_the_attack_takes_all_steps():
    text = DOCUMENT.read_text(encoding="utf-8").split("## Search, dense")[0]
    shares = re.findall(r"another ticket do (\d+) to (\d+) % of the damage", text)
    (low, high), (full_low, full_high) = [tuple(map(int, pair)) for pair in shares]
    assert low < high < full_low < full_high < 100


def test_every_artifact_of_the_run_is_made_of_committed_cells(tmp_path):
    for name in NAMES:
        draw(name, tmp_path / name)
        ours = pd.read_csv(tmp_path / f"{name}.csv")["mean"]
        assert ours.notna().any()

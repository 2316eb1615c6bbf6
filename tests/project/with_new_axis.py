"""What tests/project/test_new_axis.py runs in a copy of the project that has one axis more."""

import pytest

from rst_core.axes import model_axes
from rst_core.identity import parse_model
from rst_core.records import read_cell
from rst_core.training.trainee import MaskTrainee
from tests.artifacts.made_up import made_up
from tests.conftest import ROOT, narrow_classifier
from tests.test_config import PAPER
from workflow.artifacts.claims.definitions import Test, read_claims
from workflow.artifacts.claims.numbers import planned
from workflow.artifacts.claims.tree import compiled
from workflow.artifacts.numbers.frame import MEANINGS, read_rows
from workflow.artifacts.tables.keys import RowKey
from workflow.artifacts.tables.table import Block, Table
from workflow.config import ConfigError, read_config
from workflow.matrix import Matrix

MINE = {
    "models": ["rst", "dense_adversarial"],
    "keep_ratios": [0.03],
    "seeds": [0],
    "score_signs": ["both", "positive"],
    "evaluate": [{"attack": "pgd20"}],
}


def matrix(**changed):
    experiments = PAPER["experiments"] | {"mine": MINE | changed}
    return Matrix(read_config(PAPER | {"experiments": experiments}))


def test_config():
    with pytest.raises(ConfigError, match="score_signs is 'none'; allowed is both or positive"):
        matrix(score_signs=["none"])
    with pytest.raises(ConfigError, match=r"score_signs is .*, which no model .* uses"):
        matrix(models=["dense_adversarial"], keep_ratios=[])
    with pytest.raises(ConfigError, match=r"score_signs is .*; allowed is .both. with candidate_s"):
        matrix(candidate_sets=[[0.03, 0.05]], transfer=[{"attack": "pgd20", "to": "tickets"}])


def test_names_and_axes():
    names = [model.path.rpartition("/")[2] for model in matrix().models("mine")]
    plain, positive = (f"rst-keep0.03-element-{sign}pgd7-eps8" for sign in ("", "positive-"))
    assert names == [plain, positive, "dense-adversarial-pgd7-eps8"]
    found = [model_axes(parse_model(m.path)).get("score_sign") for m in matrix().models("mine")]
    assert found == ["both", "positive", None]


def test_search():
    for ticket in matrix().models("mine")[:2]:
        trainee = MaskTrainee.of(narrow_classifier(), ticket)
        negative = any((scores < 0).any() for scores in trainee.variables.values())
        assert negative == (ticket.score_sign == "both")


def test_table():
    block = Block("mine", ("rst", "dense"), ("robust",), vary=("score_signs",))
    table = Table("new", "New", "", blocks=(block,), stub=("variant",), headers=("accuracy",))
    data = table.build(made_up(matrix(), ["mine"]), matrix())
    rows = {RowKey.parse(row) for row in data["row"]}
    assert {row.variants for row in rows} == {("both",), ("positive",)}
    tickets = data[data["series"] == "rst"]
    assert tickets["mean"].notna().all()
    assert tickets["mean"].nunique() == 2
    labels = [position.row for position in table.positions(matrix())]
    assert ("RST, positive",) in labels


def test_claims():
    at = {"model": "rst", "keep_ratio": 0.03}
    compared = Test(of={"score_sign": "positive"}, minus={}, at=at, by=1)
    claims = read_claims()
    keys = list(compiled(claims, compared, planned(matrix())).keys)
    assert [key.score_sign for key in keys] == ["positive", "both"]


def test_cells_from_before():
    path = next((ROOT / "measurements/cells").rglob("rst-*/best_val/pgd20-eps8.json"))
    assert "score_sign" not in path.read_text()
    assert read_cell(path)["axes"]["score_sign"] == "both"
    assert {row["score_sign"] for row in read_rows(path)} == {"both"}
    assert "score_sign" in MEANINGS

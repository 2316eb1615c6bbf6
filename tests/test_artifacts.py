"""Builders on made-up frames; the paper's numbers; what a reader of a stand-in is told."""

import importlib
import itertools

import numpy as np
import pandas as pd
import pytest

from rst_core.records import pack_outcomes
from rst_core.spec import Dense, Ticket, TransferRow
from rst_core.vocabulary import Selection
from tests.conftest import ROOT
from tests.test_config import PAPER, extended
from workflow.artifacts import existence, transferability
from workflow.artifacts.frame import COLUMNS, cell_rows, read_cells
from workflow.artifacts.make import make_figure, make_table
from workflow.artifacts.registry import FIGURES, TABLES
from workflow.artifacts.summary import remarks
from workflow.config import read_config
from workflow.matrix import Matrix


@pytest.fixture(scope="module")
def matrix():
    return Matrix(read_config(PAPER))


@pytest.fixture(scope="module")
def demo():
    return Matrix(read_config(extended(ROOT / "demo" / "matrix.yaml")))


def made_up(matrix, experiments, keep=lambda cell: True):
    """A frame with a number for every cell: 10 per seed plus 100 x keep ratio, say."""
    rows = []
    cells = itertools.chain.from_iterable(matrix.cells(e) for e in experiments)
    for cell in dict.fromkeys(cells):
        if not keep(cell):
            continue
        of_a_row = isinstance(cell, TransferRow)
        judges = [c.model for c in (matrix.targets if of_a_row else matrix.sources)(cell)]
        results = []
        for judge in judges:
            ratio = judge.keep_ratio if isinstance(judge, Ticket) else 1.0
            correct = int(1000 * ratio) // 2 + 10 * judge.network.seed
            natural = np.arange(1000) < min(1000, correct + 300)
            correct -= 100 if judge == cell.model and isinstance(cell, TransferRow) else 0
            robust = np.arange(1000) < max(0, correct)
            results.append(
                {
                    "model": judge.path,
                    "natural": pack_outcomes(natural),
                    "robust": pack_outcomes(robust),
                    "parameters": 1_000_000,
                    "parameters_kept": int(1_000_000 * ratio),
                }
            )
        record = {"cell": cell.path, "kind": type(cell).__name__, "results": results}
        rows += cell_rows(record)
    return pd.DataFrame(rows, columns=COLUMNS)


def test_figure_1_has_every_point_with_mean_and_spread_over_seeds(matrix):
    data = existence.build(made_up(matrix, ["dense", "existence"]), matrix)
    at = data.set_index(["row", "column"]).loc[("resnet18/rst@0.2", "cifar10/robust")]
    assert at["mean"] == pytest.approx(11.0)
    assert at["spread"] == pytest.approx(1.0)
    assert at["n"] == 3
    assert at["paper"] == pytest.approx(48.11)
    assert at["difference"] == pytest.approx(11.0 - 48.11)
    assert len(data) == 2 * 2 * 2 * (1 + 14)
    assert data["mean"].notna().all()


def test_figure_7_has_the_attacker_in_rows(matrix):
    data = transferability.build(made_up(matrix, ["transfer"]), matrix)
    at = data.set_index(["row", "column"])
    assert at.loc[("0.03", "0.2"), "mean"] == pytest.approx(11.0)
    assert at.loc[("0.2", "0.2"), "mean"] == pytest.approx(1.0)
    assert at.loc[("0.03", "0.03"), "paper"] == pytest.approx(43.9)
    assert at.loc[("0.03", "0.6"), "paper"] == pytest.approx(71.3)


def build(artifact, cells, matrix):
    """Tables build themselves; a figure's module does."""
    if artifact.name in TABLES:
        return artifact.build(cells, matrix)
    return importlib.import_module(f"workflow.artifacts.{artifact.module}").build(cells, matrix)


@pytest.mark.parametrize("name", [*TABLES, *FIGURES])
def test_an_artifact_takes_its_own_numbers_from_a_frame_of_everything(name, demo):
    artifact = {**TABLES, **FIGURES}[name]
    own = build(artifact, made_up(demo, artifact.experiments), demo)
    everything = [e for e in demo.config.experiments if e != "features"]
    pd.testing.assert_frame_equal(own, build(artifact, made_up(demo, everything), demo))


@pytest.mark.parametrize("name", [*TABLES, *FIGURES])
@pytest.mark.parametrize("share", ["all", "some", "none"])
def test_every_artifact_is_drawn_from_whatever_exists(name, share, demo, tmp_path, monkeypatch):
    artifact = {**TABLES, **FIGURES}[name]

    def keep(cell):
        return share == "all" or (share == "some" and not isinstance(cell.model, Dense))

    frame = made_up(demo, artifact.experiments, keep)
    monkeypatch.setattr("workflow.artifacts.make.read_cells", lambda cells: frame)
    make = make_table if name in TABLES else make_figure
    make(artifact, [], demo, tmp_path / name)
    written = pd.read_csv(tmp_path / f"{name}.csv")
    assert written["mean"].notna().any() == (share != "none")
    assert written["data"].str.contains("stand-in for").all()
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_numbers_on_a_stand_in_are_never_compared_with_the_papers(demo):
    data = existence.build(made_up(demo, ["dense", "existence"]), demo)
    assert data["paper"].notna().any()
    assert data["difference"].isna().all()


def test_a_table_on_a_stand_in_says_so_in_title_caption_and_heads(demo, tmp_path, monkeypatch):
    frame = made_up(demo, TABLES["table3"].experiments)
    monkeypatch.setattr("workflow.artifacts.make.read_cells", lambda cells: frame)
    make_table(TABLES["table3"], [], demo, tmp_path / "table3")
    page = (tmp_path / "table3.md").read_text()
    title, *_, caption = page.strip().splitlines()
    assert "(on stand-in data)" in title
    assert "stand-in for CIFAR-100" in caption
    assert "Digits† (stand-in for CIFAR-10)" in page


def test_the_papers_protocol_is_labelled_wherever_it_is_used(demo):
    config = demo.config.model_copy(update={"selection": Selection.BEST_TEST})
    assert "CHOSEN ON THE TEST SET" in remarks(Matrix(config), ["cifar10"])
    assert "TEST SET" not in remarks(demo, ["cifar10"])


def test_a_damaged_cell_file_is_named(tmp_path):
    path = tmp_path / "cell.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"cell.json is damaged.*delete it"):
        read_cells([path])
    assert list(read_cells([]).columns) == COLUMNS

"""Artifacts from the cells that exist."""

import re
from pathlib import Path

import pytest

from rst_core.storage import write_text
from tests.artifacts.made_up import IMAGES
from tests.artifacts.made_up_cells import write_cell
from workflow.artifacts.registry import ARTIFACTS
from workflow.artifacts.report import partial
from workflow.artifacts.report.page import page_name
from workflow.artifacts.report.partial import draw_partial, read_existing
from workflow.artifacts.tables.table import Table
from workflow.keys import Keys, State
from workflow.matrix import Matrix

TABLE = ARTIFACTS["table3"]


def known_keys(matrix: Matrix, root: Path) -> Keys:
    return Keys(matrix, lambda name: IMAGES, root)


@pytest.fixture
def only_table_3(monkeypatch):
    """One artifact, no claims: what holds for it holds for all."""

    def page_of_claims(cells, matrix, stem, target, base, remark):
        write_text(target, f"{base} {remark}")

    monkeypatch.setattr(partial, "make_claims", page_of_claims)
    monkeypatch.setattr(partial, "ARTIFACTS", {"table3": TABLE})


def test_half_of_the_cells_make_a_table_with_gaps_that_says_how_many(demo, tmp_path, only_table_3):
    cells = TABLE.cells(demo)
    half = [c for c in cells if c.model.network.dataset == "digits"]
    assert 0 < len(half) < len(cells)
    for cell in half:
        write_cell(tmp_path, cell, demo)
    completeness = draw_partial(demo, known_keys(demo, tmp_path), tmp_path / "partial", tmp_path)
    said = f"Partial: {len(half)} of {len(cells)} cells"
    assert completeness.sentences() == [f"drawn from {len(half)} of {len(demo.all_cells())} cells"]
    text = (tmp_path / "partial/tables/table3.md").read_text()
    assert said in text
    row = next(line for line in text.splitlines() if line.startswith("| R2S"))
    ours = [entry.split()[0] for entry in row.split("|")[2:-1]]
    assert [number == "–" for number in ours] == [False, False, True, True]
    assert said in (tmp_path / "partial/pages/Table 3 - R2S under PGD-20.html").read_text()
    assert (tmp_path / "partial/pages/Progress.html").is_file()
    claims = (tmp_path / "partial/pages/Claims.html").read_text()
    assert re.fullmatch(r"\.\./ Partial: [1-9]\d* of \d+ cells", claims)


@pytest.mark.parametrize(
    "contents",
    ["", '{"cell": "digi', "null", "[]", '{"cell": 5}', "\xff", '{"cell": "a/b.json", "kind": ""}'],
)
def test_a_damaged_cell_is_named_and_left_out(demo, tmp_path, only_table_3, contents):
    paths = [write_cell(tmp_path, cell, demo) for cell in TABLE.cells(demo)]
    paths[0].write_bytes(contents.encode("latin-1"))
    completeness = draw_partial(demo, known_keys(demo, tmp_path), tmp_path / "partial", tmp_path)
    first, damage = completeness.sentences()
    assert first.startswith(f"drawn from {len(paths) - 1} of ")
    assert f"{paths[0].relative_to(tmp_path)} is stale: " in damage
    assert str(paths[0].name) in (tmp_path / "partial/pages/Progress.html").read_text()


def test_a_cell_that_goes_away_meanwhile_is_missing(demo, tmp_path):
    path = write_cell(tmp_path, TABLE.cells(demo)[0], demo)
    keys = known_keys(demo, tmp_path)
    assert keys.state(TABLE.cells(demo)[0]) is State.FRESH
    path.unlink()
    assert read_existing(demo, keys, tmp_path) == ({}, [])


def test_a_stale_cell_is_named_and_left_out(demo, tmp_path, only_table_3):
    write_cell(tmp_path, TABLE.cells(demo)[0], demo)
    keys = Keys(demo, lambda name: "of other images", tmp_path)
    first, stale = draw_partial(demo, keys, tmp_path / "partial", tmp_path).sentences()
    assert first.startswith("drawn from 0 of ")
    assert "is stale: made on other images" in stale


def test_an_artifact_that_cannot_be_drawn_does_not_keep_the_others(
    demo, tmp_path, only_table_3, monkeypatch
):
    both = {name: ARTIFACTS[name] for name in ("table3", "fig7")}
    monkeypatch.setattr(partial, "ARTIFACTS", both)

    def broken(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(Table, "build", broken)
    completeness = draw_partial(demo, known_keys(demo, tmp_path), tmp_path / "partial", tmp_path)
    failed = f"{TABLE.heading} could not be drawn: RuntimeError: no ink"
    assert failed in completeness.sentences()
    assert (tmp_path / "partial/pages" / page_name(ARTIFACTS["fig7"])).is_file()
    assert not (tmp_path / "partial/pages/Table 3 - R2S under PGD-20.html").exists()

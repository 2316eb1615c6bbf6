"""Artifacts from the cells that exist; their pages; the protocol."""

import re
from pathlib import Path

import pytest

from rst_core.storage import write_text
from rst_core.vocabulary import Selection
from tests.artifacts.made_up import IMAGES
from tests.artifacts.made_up_cells import PROVENANCE, write_cell
from workflow.artifacts.registry import FIGURES, TABLES
from workflow.artifacts.report import partial
from workflow.artifacts.report.page import from_markdown, label, page_name, write_page
from workflow.artifacts.report.partial import draw_partial, read_existing
from workflow.artifacts.report.protocol import config_digest, protocol
from workflow.keys import Keys, State
from workflow.matrix import Matrix

TABLE = TABLES["table3"]


def known_keys(matrix: Matrix, root: Path) -> Keys:
    return Keys(matrix, lambda name: IMAGES, root)


@pytest.fixture
def only_table_3(monkeypatch):
    """One artifact, no claims: what holds for it holds for all."""

    def page_of_claims(cells, matrix, stem, target, base, remark):
        write_text(target, f"{base} {remark}")

    monkeypatch.setattr(partial, "make_claims", page_of_claims)
    monkeypatch.setattr(partial, "TABLES", {"table3": TABLE})
    monkeypatch.setattr(partial, "FIGURES", {})


def test_half_of_the_cells_make_a_table_with_gaps_that_says_how_many(demo, tmp_path, only_table_3):
    cells = TABLE.cells(demo)
    half = [c for c in cells if c.model.network.dataset == "digits"]
    assert 0 < len(half) < len(cells)
    for cell in half:
        write_cell(tmp_path, cell, demo)
    progress = draw_partial(demo, known_keys(demo, tmp_path), tmp_path / "partial", tmp_path)
    said = f"Partial: {len(half)} of {len(cells)} cells"
    assert progress.sentences() == [f"drawn from {len(half)} of {len(demo.all_cells())} cells"]
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
    progress = draw_partial(demo, known_keys(demo, tmp_path), tmp_path / "partial", tmp_path)
    first, damage = progress.sentences()
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
    monkeypatch.setattr(partial, "FIGURES", {"fig7": FIGURES["fig7"]})

    def broken(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(partial, "write_table", broken)
    progress = draw_partial(demo, known_keys(demo, tmp_path), tmp_path / "partial", tmp_path)
    failed = f"{TABLE.heading} could not be drawn: RuntimeError: no ink"
    assert failed in progress.sentences()
    assert (tmp_path / "partial/pages" / page_name(FIGURES["fig7"])).is_file()
    assert not (tmp_path / "partial/pages/Table 3 - R2S under PGD-20.html").exists()


def test_every_artifact_has_a_page_of_its_own_name():
    names = [label(a) for a in (*TABLES.values(), *FIGURES.values())]
    assert len(set(names)) == len(names)
    assert {"Table 3 - R2S under PGD-20", "Figure 1 - RSTs exist"} <= set(names)
    # In the report they stand in data URIs, whose head a comma ends.
    assert not re.search("[^ -~]|[,;%?#/]", "".join(names))


def test_a_page_shows_text_and_obeys_none_of_it():
    table = "| a<b | <script>x</script> |\n|---|---|\n| 1 ± 2<sup>a</sup> | 3 |"
    html = from_markdown(f"## T\n\n{table}\n\n- <sup>a</sup> foot")
    assert "<script>" not in html
    assert "<th>a&lt;b</th>" in html
    assert "<td>1 ± 2<sup>a</sup></td>" in html
    assert "<sup>a</sup> foot" in html


def test_a_figures_page_holds_its_picture_and_files_and_says_stand_in(tmp_path):
    (tmp_path / "fig7.png").write_bytes(b"\x89PNG picture")
    (tmp_path / "fig7.csv").write_text('data,mean\n"Digits [stand-in for CIFAR-10]",1\n')
    write_page(FIGURES["fig7"], sorted(tmp_path.iterdir()), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert 'src="data:image/png;base64,' in page
    assert 'download="fig7.csv"' in page
    assert "(on stand-in data)</h1>" in page
    assert "Digits [stand-in for CIFAR-10]" in page
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_the_protocol_says_how_the_numbers_were_made(demo, tmp_path):
    cells = demo.cells("dense")
    for cell in cells:
        write_cell(tmp_path, cell, demo)
    paths = [tmp_path / demo.file(cell) for cell in demo.all_cells()]
    (tmp_path / demo.file(demo.cells("r2s")[0])).parent.mkdir(parents=True)
    (tmp_path / demo.file(demo.cells("r2s")[0])).write_text('{"provenance"')
    text = protocol(demo, paths, tmp_path)
    assert "stand-in for CIFAR-100" in text
    assert "held-out training images" in text
    assert f"an invented device ({len(cells)} cells)" in text
    for said in (PROVENANCE["revision"], PROVENANCE["rst_core"], config_digest(demo.config)):
        assert said in text
    assert "200 (seed 0)" in text


def test_the_protocol_warns_of_the_papers_own_and_of_nothing_else_on_its_data(paper):
    assert "stand-in" not in protocol(paper, [])
    assert "test set.**" not in protocol(paper, [])
    config = paper.config.model_copy(update={"selection": Selection.BEST_TEST})
    assert "chosen on the test set.**" in protocol(Matrix(config), [])
    assert config_digest(config) != config_digest(paper.config)

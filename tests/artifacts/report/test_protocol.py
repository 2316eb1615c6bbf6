"""The protocol says on what, how and with what the numbers were made."""

from rst_core.identity import Evaluation, TransferRow
from rst_core.vocabulary import Selection
from tests.artifacts.made_up_cells import PROVENANCE, write_cell
from workflow.artifacts.report.protocol import config_digest, protocol
from workflow.matrix import Matrix


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


def test_the_protocol_has_every_parameter_of_every_attack(paper):
    """Also those at their defaults: that PGD-20 stops at its first success decides much."""
    text = protocol(paper, [])
    for cell in paper.all_cells():
        if isinstance(cell, Evaluation | TransferRow):
            (line,) = (line for line in text.splitlines() if f"(`{cell.attack}`)" in line)
            for name, value in paper.attack(cell).described().items():
                told = f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
                of_cell = name in ("name", "eps", "seed")
                assert of_cell or told in line or (name == "step_size" and " eps," in line)

"""Pages of training curves, of the models that there are."""

import pandas as pd
import pytest

from rst_core.storage import checksum
from tests.artifacts.figures.training_curves import PAGE, rsts, write_model
from tests.artifacts.made_up import IMAGES
from workflow.artifacts.figures.training_parts import trained, trained_cells
from workflow.artifacts.report import partial
from workflow.artifacts.report.partial import draw_partial
from workflow.keys import Keys, State


@pytest.fixture
def only_curves(monkeypatch):
    monkeypatch.setattr(partial, "make_claims", lambda *_, **__: None)
    monkeypatch.setattr(partial, "ARTIFACTS", {})


def test_partial_shows_the_curves_that_there_are(demo, tmp_path, only_curves):
    cells = rsts(demo)[:2]
    metrics = [write_model(tmp_path, cell, demo, 30, 40) for cell in cells]
    keys = Keys(demo, lambda name: IMAGES, tmp_path)
    assert [keys.state(cell) for cell in cells] == [State.FRESH] * 2
    metrics[1].write_bytes(metrics[1].read_bytes()[:-5])
    completeness = draw_partial(demo, keys, tmp_path / "partial", tmp_path)
    assert ("Training overview of all", 1, len(trained_cells(demo))) in completeness.drawn
    assert len(completeness.sentences()) == 1, "it was drawn"
    data = pd.read_csv(tmp_path / "partial/training/existence.csv")
    assert set(data["cell"]) == {cells[0].path}
    assert list(data["validation_robust"]) == [30, 40]
    page = (tmp_path / PAGE).read_text()
    assert f"{metrics[1]} is damaged, or not the curve" in page
    assert f"1 of {len(trained(demo, 'existence'))} models" in page
    assert (tmp_path / "partial/training/existence.png").is_file()
    assert "<img" in (tmp_path / "partial/pages/Training curves of existence.html").read_text()
    assert not (tmp_path / "partial/training/rtts.png").exists(), "it has no curve yet"


def test_the_curve_of_a_stale_model_is_not_shown(demo, tmp_path, only_curves):
    write_model(tmp_path, rsts(demo)[0], demo, 30, 40)
    keys = Keys(demo, lambda name: checksum("other images"), tmp_path)
    draw_partial(demo, keys, tmp_path / "partial", tmp_path)
    assert not list((tmp_path / "partial/training").iterdir())

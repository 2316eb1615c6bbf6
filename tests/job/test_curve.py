"""The curve of a training under way, and the one that its models keep."""

from __future__ import annotations

import sys

import pytest
import torch

from rst_core.curves import METRICS, chosen, curve_of, read_curve
from rst_core.job import cells
from rst_core.job.cli import main
from rst_core.job.curve import TENSORBOARD, GrowingCurve
from rst_core.storage import StaleFileError, load_tensors
from rst_core.vocabulary import Selection
from tests.job.test_preemption import TICKET, words
from tests.test_curves import lines

BEST, LAST = f"{TICKET}/best_val/ticket.pt", f"{TICKET}/last/ticket.pt"


def state(*robust: float) -> dict[str, object]:
    return {"state": {"metrics": lines(*robust)}}


def test_a_model_knows_the_curve_of_its_training_and_no_other(results, monkeypatch, capsys):
    assert main(words()) == 0
    path = results / TICKET / METRICS
    first, curve = path.read_bytes(), curve_of(results / BEST)
    assert curve == curve_of(results / LAST) == read_curve(path)
    kept = chosen(curve, Selection.BEST_VAL)
    same = kept.epoch == len(curve)
    contents = [load_tensors(results / model, "Model")[1] for model in (BEST, LAST)]
    assert torch.equal(*(one["batch_norm"] for one in contents)) is same

    # Killed where the curve is beside the models that are still those of before.
    monkeypatch.setattr(cells, "save_model", lambda *_, **__: sys.exit("killed"))
    with pytest.raises(SystemExit):
        main(words("--lr", "0.05"))
    with pytest.raises(StaleFileError):
        curve_of(results / BEST)
    capsys.readouterr()
    assert main(["verify", "results"]) == 1
    assert "not the curve with which" in capsys.readouterr().out
    monkeypatch.undo()
    monkeypatch.chdir(results)
    assert main(words("--lr", "0.05")) == 0
    assert curve_of(results / LAST)[0].lr == 0.05
    assert path.read_bytes() != first
    path.write_bytes(first)
    with pytest.raises(StaleFileError):
        curve_of(results / LAST)


def test_the_curve_of_other_settings_is_gone_before_the_first_epoch(tmp_path):
    path = tmp_path / METRICS
    path.write_text("of other settings")
    growing = GrowingCurve(tmp_path / "state.pt", "a/model")
    assert not path.exists()
    for robust in ([30.0], [30.0, 31.0]):
        growing.follow(state(*robust))
        assert [one.validation_robust for one in read_curve(path)] == robust


def test_tensorboard_has_every_epoch_once_also_after_a_stop(tmp_path, monkeypatch):
    from tensorboard.backend.event_processing import event_accumulator as reading

    monkeypatch.setenv(TENSORBOARD, str(tmp_path / "runs"))
    growing = GrowingCurve(tmp_path / "state.pt", "a/model")
    for robust in ([30.0], [30.0, 31.0]):
        growing.follow(state(*robust))
    continued = GrowingCurve(tmp_path / "state.pt", "a/model")
    for robust in ([30.0, 31.0], [30.0, 31.0, 29.0]):
        continued.follow(state(*robust))
    found = reading.EventAccumulator(str(tmp_path / "runs/a/model"))
    found.Reload()
    shown = [(one.step, one.value) for one in found.Scalars("validation/robust")]
    assert shown == [(1, 30), (2, 31), (3, 29)]
    assert {"lr", "train/loss", "validation/natural"} <= set(found.Tags()["scalars"])


def test_without_the_variable_there_is_no_tensorboard(tmp_path, monkeypatch):
    monkeypatch.delenv(TENSORBOARD, raising=False)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    GrowingCurve(tmp_path / "state.pt", "a/model").follow(state(30))
    assert [path.name for path in tmp_path.iterdir()] == [METRICS]
    monkeypatch.setenv(TENSORBOARD, "runs")
    with pytest.raises(ValueError, match="tensorboard is not installed; pip install tensorboard"):
        GrowingCurve(tmp_path / "state.pt", "a/model")

"""Curves of trainings: what a reader accepts, and that a model knows its own."""

import json

import pytest

from rst_core.curves import METRICS, Epoch, chosen, curve_of, read_curve, write_curve
from rst_core.storage import FileError, StaleFileError, save_tensors
from rst_core.vocabulary import Selection

LINE = {
    "epoch": 1,
    "lr": 0.1,
    "train_loss": 2.0,
    "train_accuracy": 20.0,
    "validation_natural": 40.0,
    "validation_robust": 30.0,
    "seconds": 1.5,
}


def lines(*robust: float) -> list[dict[str, float]]:
    return [LINE | {"epoch": n, "validation_robust": r} for n, r in enumerate(robust, 1)]


def test_what_is_written_is_read(tmp_path):
    write_curve(tmp_path / METRICS, lines(30, 31))
    curve = read_curve(tmp_path / METRICS)
    assert [one.validation_robust for one in curve] == [30, 31]
    assert curve[0] == Epoch(**LINE)


def test_of_a_line_that_is_being_written_nothing_is_read(tmp_path):
    path = tmp_path / METRICS
    write_curve(path, lines(30, 31))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert len(read_curve(path)) == int(length >= first)


@pytest.mark.parametrize(
    "damaged",
    [
        "null", "[]", "{", '{"epoch": 1}', "\xff",
        json.dumps(LINE | {"epoch": 2}),
        json.dumps(LINE | {"lr": "0.1"}),
        json.dumps(LINE | {"train_loss": float("nan")}),
        json.dumps(LINE | {"validation_robust": 130.0}),
        json.dumps(LINE | {"accuracy": 1.0}),
        "\n".join([json.dumps(LINE)] * 2),
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_name(tmp_path, damaged):
    path = tmp_path / METRICS
    path.write_bytes(damaged.encode("latin-1") + b"\n")
    with pytest.raises(FileError, match=f"{METRICS} is damaged: "):
        read_curve(path)


def test_a_model_without_a_curve_says_so(tmp_path):
    model = tmp_path / "last/ticket.pt"
    save_tensors(model, {}, "Model", {"provenance": {}})
    write_curve(tmp_path / METRICS, lines(30))
    with pytest.raises(FileError, match="has no training curve: it was imported, or"):
        curve_of(model)


def test_a_curve_of_another_training_is_not_taken_for_ones_own(tmp_path):
    model = tmp_path / "last/ticket.pt"
    save_tensors(model, {}, "Model", {"provenance": {"curve": "0" * 64}})
    with pytest.raises(FileNotFoundError):
        curve_of(model)
    write_curve(tmp_path / METRICS, lines(30))
    with pytest.raises(StaleFileError, match="not the curve with which"):
        curve_of(model)


@pytest.mark.parametrize(
    ("selection", "epoch"),
    [(Selection.BEST_VAL, 2), (Selection.LAST, 4), (Selection.BEST_TEST, 3)],
)
def test_the_chosen_epoch_is_the_first_of_the_best(selection, epoch):
    test = [1.0, 2.0, 9.0, 3.0]
    curve = [
        Epoch(**line, test_robust=value)
        for line, value in zip(lines(10, 50, 50, 20), test, strict=True)
    ]
    assert chosen(curve, selection).epoch == epoch


def test_a_natural_training_is_judged_by_natural_accuracy():
    natural = [5.0, 7.0, 6.0]
    plain = {name: value for name, value in LINE.items() if name != "validation_robust"}
    curve = [
        Epoch(**plain | {"epoch": n, "validation_natural": v}) for n, v in enumerate(natural, 1)
    ]
    assert chosen(curve, Selection.BEST_VAL).epoch == 2

"""``rst watch`` of trainings that are to begin, go on, stand still or are finished."""

from __future__ import annotations

import io
import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from rst_core.curves import METRICS, write_curve
from rst_core.job.lease import Holder
from rst_core.storage import file_digest, save_tensors
from tests.test_curves import lines
from workflow import cli
from workflow.watch import chart, frame, watch

MODEL = "digits/narrow/signed_kaiming_constant-seed0/rst-keep0.3-element-pgd7-eps8"
FILE = Path("results/cells", MODEL, "best_val/ticket.pt")
UNFINISHED = Path("results/checkpoints", MODEL)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


def begin(age: float = 0.0) -> None:
    claim = UNFINISHED / "lease/1"
    claim.parent.mkdir(parents=True, exist_ok=True)
    holder = Holder("token", "node3", None, 7, None, "2026-01-01", "12")
    claim.write_text(json.dumps(asdict(holder)))
    os.utime(claim, (time.time() - age,) * 2)


def save(*robust: float) -> None:
    progress = f"after epoch {len(robust)} of 5 and 3 steps of the next"
    save_tensors(UNFINISHED / "state.pt", {}, "Checkpoint", {"progress": progress})
    write_curve(UNFINISHED / METRICS, lines(*robust))


def finish(*robust: float) -> None:
    write_curve(FILE.parents[1] / METRICS, lines(*robust))
    curve = {"curve": file_digest(FILE.parents[1] / METRICS)}
    save_tensors(FILE, {}, "Model", {"provenance": curve})


def test_in_a_pipe_it_prints_once(capsys):
    begin()
    save(30, 35)
    assert cli.main(["watch", str(FILE)]) == 0
    said = capsys.readouterr().out
    assert "running: job 12, process 7 on node3\nsaved after epoch 2 of 5 and 3 steps" in said
    assert "of the next; 2 s an epoch, 4 s left\n" in said
    assert "epoch 2: natural 40.0, robust 35.0, loss 2.000, learning rate 0.1" in said
    assert "\x1b" not in said
    assert max(map(len, said.splitlines())) <= 80
    assert len(said.splitlines()) <= 24


def test_on_a_terminal_it_shows_each_state_until_the_model_is_finished():
    begin()
    out, after = Terminal(), iter([lambda: save(30), lambda: save(30, 35)])

    def pause(seconds: float) -> None:
        step = next(after, None)
        if step:
            step()
        else:
            (UNFINISHED / "state.pt").unlink()
            (UNFINISHED / "lease/1").unlink()
            finish(30, 35, 36)

    end = watch(FILE, out, pause)
    frames = out.getvalue().split("\x1b[H\x1b[J")
    assert ["no epoch is finished" in frames[1], "epoch 1: " in frames[2]] == [True, True]
    assert "epoch 2: " in frames[3]
    assert "finished" in end
    assert "epoch 3: natural 40.0, robust 36.0" in end


def test_ctrl_c_ends_it_quietly():
    begin()

    def pause(seconds: float) -> None:
        raise KeyboardInterrupt

    assert watch(FILE, Terminal(), pause) == ""


def test_a_training_that_nobody_continues_is_not_running():
    begin(age=3600)
    save(30, 35)
    assert "\nnot running\nsaved after epoch 2 of 5" in frame(FILE, 80, 24)[0]


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (str(FILE), "does not exist, and no job has begun it"),
        (f"results/cells/{MODEL}/best_val/pgd20-eps8.json", "is no model; allowed is"),
        ("results/cells", "names no"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(file, said, capsys):
    assert cli.main(["watch", file]) == 1
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_damaged_curve_of_a_finished_model_is_not_shown(capsys):
    finish(30, 35)
    write_curve(FILE.parents[1] / METRICS, lines(30, 95))
    assert cli.main(["watch", str(FILE)]) == 1
    assert "not the curve with which" in capsys.readouterr().err


def test_a_last_line_that_is_torn_does_not_keep_the_rest_from_being_shown():
    begin()
    save(30, 35, 36)
    whole = (UNFINISHED / METRICS).read_bytes()
    (UNFINISHED / METRICS).write_bytes(whole[:-9])
    assert "epoch 2: " in frame(FILE, 80, 24)[0]


def test_a_chart_has_its_marks_where_the_values_are():
    assert chart({"*": [0.0, 50.0, 100.0], "o": [None, None, 0.0]}, 5, 9, 3) == [
        "    100 |    *",
        "        |  *",
        "      0 |*   o",
    ]
    assert chart({"*": [2.0]}, 1, 5, 2) == ["        |", "      2 |*"]

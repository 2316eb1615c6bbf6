"""Leaving a cell unfinished, and continuing it to the bit-identical result."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rst_core import cells
from rst_core.cli import main
from rst_core.data import Images
from rst_core.evaluation import Unfinished, attack_and_judge
from rst_core.files import load_tensors
from rst_core.flags import to_flags
from rst_core.session import MARGIN, UNFINISHED, LeftUnfinished, Session, Verdict
from rst_core.settings import training_attack
from rst_core.training import train
from rst_core.vocabulary import SearchMethod, Selection
from tests import several_processes
from tests.conftest import BRIEF, DIGITS, NARROW, ROOT, narrow_classifier
from tests.test_measuring import PGD
from tests.test_training import Killed, assert_equal, dense, finetune, run, search, without_times

__all__ = ["run"]  # a fixture

CELL = "results/cells/digits/narrow/signed_kaiming_constant-seed0"
TICKET = f"{CELL}/rst-keep0.3-element-pgd7-eps8"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Scripted(Session):
    """Has the given verdict at the n-th question, and no opinion else."""

    def __init__(self, at: int, verdict: Verdict = Verdict.TOLD_TO_STOP) -> None:
        super().__init__()
        self.at, self.scripted, self.asked = at, verdict, 0

    def verdict(self, kind: str) -> Verdict:
        self.asked += 1
        return self.scripted if self.asked == self.at else Verdict.GO_ON


def timed(session: Session, kind: str, seconds: float) -> None:
    assert isinstance(session.clock, Clock)
    with session.timed(kind):
        session.clock.now += seconds


def test_work_ends_while_the_longest_step_so_far_and_a_checkpoint_still_fit():
    session = Session(clock=Clock())
    session.minutes = 10
    timed(session, "step", 100)
    timed(session, "step", 40)
    with session.saving():
        session.clock.now += 20
    assert session.verdict("step") is Verdict.GO_ON
    session.clock.now = 600 - MARGIN - 100 - 20 - 1
    assert session.verdict("step") is Verdict.GO_ON
    session.clock.now += 1
    assert session.verdict("step") is Verdict.OUT_OF_TIME
    assert session.verdict("measurement") is Verdict.GO_ON, "never measured: expected to fit"
    with pytest.raises(LeftUnfinished, match=r"left after epoch 3: the budget of 10 minutes"):
        session.leave(Verdict.OUT_OF_TIME, "after epoch 3")


def test_a_short_budget_is_not_all_margin():
    session = Session(minutes=1, clock=Clock())
    session.clock.now = 44
    assert session.verdict("step") is Verdict.GO_ON
    session.clock.now = 45
    assert session.verdict("step") is Verdict.OUT_OF_TIME
    with pytest.raises(LeftUnfinished, match="before the first step: raise --minutes"):
        session.leave(Verdict.OUT_OF_TIME, "after epoch 0")


def test_without_a_budget_only_the_interval_counts():
    session = Session(clock=Clock(), interval=600)
    session.clock.now = 599
    assert session.verdict("step") is Verdict.GO_ON
    session.clock.now = 1e9
    assert session.verdict("step") is Verdict.SAVE
    with session.saving():
        session.clock.now += 50
    assert session.verdict("step") is Verdict.GO_ON


# Three steps an epoch, then a measurement: 1 is before the first step, 5 after the first
# epoch's last, before its measurement.
@pytest.mark.parametrize(
    ("make", "at", "place"),
    [
        (search, 2, "after epoch 0 and 1 steps"),
        (search, 5, "after epoch 0 and 3 steps"),
        (search, 11, "after epoch 2 and 2 steps"),
        (dense, 3, "after epoch 0 and 2 steps"),
        (finetune, 7, "after epoch 1 and 2 steps"),
    ],
)
def test_a_run_left_within_an_epoch_continues_to_the_bit_identical_result(
    run, few_digits, make, at, place, capsys
):
    whole = train(make(), few_digits, run)
    metrics = without_times(run.metrics)
    run.checkpoint.unlink()

    with pytest.raises(LeftUnfinished, match=f"left {place} of 3: told to stop"):
        train(make(), few_digits, run, Scripted(at))
    session = Session()
    resumed = train(make(), few_digits, run, session)
    assert f"continuing {place} of 3" in capsys.readouterr().err
    assert session.continued == [place]
    assert_equal(whole, resumed)
    assert without_times(run.metrics) == metrics


def test_a_run_killed_within_an_epoch_continues_from_its_last_checkpoint(run, few_digits):
    whole = train(dense(), few_digits, run)
    metrics = without_times(run.metrics)
    run.checkpoint.unlink()

    class SavedThenKilled(Scripted):
        def verdict(self, kind):
            verdict = super().verdict(kind)
            if self.asked == self.at + 1:
                raise Killed
            return verdict

    with pytest.raises(Killed):
        train(dense(), few_digits, run, SavedThenKilled(3, Verdict.SAVE))
    session = Session()
    assert_equal(whole, train(dense(), few_digits, run, session))
    assert session.continued == ["after epoch 0 and 2 steps"]
    assert without_times(run.metrics) == metrics


def test_a_superseded_run_writes_nothing(run, few_digits):
    session = Scripted(6, Verdict.SUPERSEDED)
    with pytest.raises(LeftUnfinished):
        train(dense(), few_digits, run, Scripted(5))
    before = run.checkpoint.read_bytes()
    with pytest.raises(LeftUnfinished, match="another job has taken over"):
        train(dense(), few_digits, run, session)
    # The first epoch's end is saved before the loss is noticed, and nothing after it.
    assert load_tensors(run.checkpoint)["state"]["part"]["totals"].shape == (0, 2)
    assert before != run.checkpoint.read_bytes()


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_skipped_batches_change_no_other(digits, tmp_path, skip):
    whole = list(digits.train.training_batches(DIGITS, 300, 0, 3))
    rest = list(digits.train.training_batches(DIGITS, 300, 0, 3, skip=skip))
    assert len(whole) == len(rest) + skip
    for (one, labels), (other, same) in zip(whole[skip:], rest, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(labels, same)


@pytest.mark.parametrize("skip", [1, 4])
def test_skipped_streamed_batches_change_no_other(tmp_path, skip):
    from rst_core.data import load_splits

    several_processes.make_folder(tmp_path, [(20, 18), (16, 30)])
    settings = several_processes.folder_settings(tmp_path)
    images = load_splits(settings).train
    whole = list(images.training_batches(settings, 7, 0, 1))
    rest = list(images.training_batches(settings, 7, 0, 1, skip=skip))
    assert len(whole) == len(rest) + skip == 4
    for (one, labels), (other, same) in zip(whole[skip:], rest, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(labels, same)


def evaluate(test: Images, folder: Path, session: Session) -> tuple[dict, Unfinished]:
    model = narrow_classifier().eval()
    unfinished = Unfinished(folder, "key")
    found = attack_and_judge(
        model, {"self": model}, test, PGD, batch_size=20, unfinished=unfinished, session=session
    )
    return found.outcomes, unfinished


def test_an_attack_that_was_left_ends_with_the_same_outcomes(few_digits, tmp_path):
    whole, _ = evaluate(few_digits.test, tmp_path / "whole", Session())
    with pytest.raises(LeftUnfinished, match="left after 2 of 3 batches: told to stop"):
        evaluate(few_digits.test, tmp_path / "left", Scripted(3))
    session = Scripted(99)
    resumed, unfinished = evaluate(few_digits.test, tmp_path / "left", session)
    assert session.asked == 1, "finished batches are not attacked again"
    assert unfinished.continued == ["after 2 batches"]
    assert_equal(whole, resumed)


def words(*more: str, file: str = f"{TICKET}/best_val/ticket.pt") -> list[str]:
    return [
        "search", file, "--data", "data.json", "--threads", "1",
        *to_flags(NARROW), *to_flags(BRIEF), "--batch-size", "128", *more,
    ]  # fmt: skip


def rst(folder: Path, *more: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "rst_core", *words(*more)],
        cwd=folder, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} was not said:\n{seen}")


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_sigterm_saves_and_leaves_and_the_same_command_continues(results, tmp_path, processes):
    more = ("--epochs", "4", "--processes", str(processes))
    process = rst(tmp_path, *more)
    read_until(process, "epoch 1,")
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate()
    assert process.returncode == UNFINISHED, error
    assert "told to stop (SIGTERM); saved, the same command continues" in error
    assert not list(tmp_path.rglob("ticket.pt"))
    assert not list(tmp_path.rglob("lease"))
    process = rst(tmp_path, *more)
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert error.count("continuing after epoch") == 1
    provenance = load_tensors(tmp_path / TICKET / "last/ticket.pt")["provenance"]
    assert provenance["sessions"] == 2
    assert provenance["processes"] == processes
    assert not list(tmp_path.rglob("checkpoints"))


def test_a_budget_too_small_for_a_step_says_what_to_raise(results, capsys):
    assert main(words("--minutes", "0.0001")) == UNFINISHED
    assert "raise --minutes (in the workflow: the rule's runtime)" in capsys.readouterr().err


def test_a_second_job_waits_and_takes_what_the_first_has_made(results, tmp_path):
    first = rst(tmp_path, "--epochs", "3")
    read_until(first, "epoch 1,")
    first.send_signal(signal.SIGSTOP)
    second = rst(tmp_path, "--epochs", "3")
    read_until(second, f"waiting: process {first.pid} on")
    first.send_signal(signal.SIGCONT)
    assert first.wait() == 0
    _, said = second.communicate()
    assert second.returncode == 0
    assert said.count("was finished before: kept") == 2
    assert "epoch 1" not in said


def test_a_second_job_takes_over_from_a_killed_one(results, tmp_path):
    first = rst(tmp_path, "--epochs", "4")
    read_until(first, "epoch 1,")
    first.kill()
    first.wait()
    second = rst(tmp_path, "--epochs", "4")
    _, said = second.communicate()
    assert second.returncode == 0
    assert f"taken over from process {first.pid} on" in said
    assert "continuing after epoch" in said
    assert not list(tmp_path.rglob("checkpoints"))


def test_a_waiting_job_leaves_when_its_own_time_is_over(results, tmp_path, monkeypatch, capsys):
    folder = cells.lease_path(Path("results/cells"), cells_of(TICKET))
    with cells_held(folder):
        assert main(words("--minutes", "0.0001")) == UNFINISHED
    assert "waiting: process" in capsys.readouterr().err


def cells_of(folder: str):
    from rst_core.spec import split_cell_path

    return split_cell_path(f"{folder}/best_val/ticket.pt")[1]


def cells_held(folder: Path):
    from rst_core.lease import held

    return held(folder)


def test_finished_results_survive_the_deletion_of_outputs(results, capsys, monkeypatch):
    assert main(words("--keep", "results/finished")) == 0
    outputs = sorted(Path(TICKET).rglob("ticket.pt"))
    before = [o.read_bytes() for o in outputs]
    assert outputs[0].stat().st_nlink == 2, "a second name, no second copy"
    for output in outputs:
        output.unlink()
    capsys.readouterr()
    assert main(words("--keep", "results/finished")) == 0
    assert "epoch" not in capsys.readouterr().err
    assert [o.read_bytes() for o in outputs] == before

    attack = ["attack", f"{TICKET}/best_val/pgd4-eps8.json", "--data", "data.json", *to_flags(PGD)]
    kept = [*attack, "--keep", "results/finished"]
    assert main(kept) == 0
    record = Path(attack[1]).read_text()
    Path(attack[1]).unlink()
    with monkeypatch.context() as patch:
        patch.setattr(cells, "attack_and_judge", None)
        assert main(kept) == 0
    assert Path(attack[1]).read_text() == record

    # Other settings, other code, or nothing kept: made again.
    for change in ("settings", "code", "no folder"):
        Path(attack[1]).unlink()
        with monkeypatch.context() as patch:
            if change == "code":
                patch.setattr("rst_core.finished._code", lambda: "other")
            command = attack if change == "no folder" else kept
            assert main([*command, "--seed", "1"] if change == "settings" else command) == 0
        assert Path(attack[1]).read_text() != record


def test_a_retrained_base_is_not_continued_under_an_old_checkpoint(run):
    bases = {"dense": "one digest"}
    assert dataclasses.replace(run, bases=bases).key != run.key


def test_no_gpu_where_one_was_asked_for_is_one_sentence(results, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("RST_DEVICE", "cuda")
    assert main(words()) == 1
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0
    assert os.uname().nodename in error
    assert "nvidia-smi" in error
    monkeypatch.setenv("RST_DEVICE", "tpu")
    assert main(words()) == 1
    assert "allowed is one of auto, cuda, cpu" in capsys.readouterr().err


def test_a_full_disk_is_one_sentence_and_leaves_no_half_file(results, capsys, monkeypatch):
    import errno

    def full(value, file):
        file.write(b"half")
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        finally:
            # What torch does in the end, with the file's error as context.
            raise RuntimeError("unexpected pos 704 vs 598")

    monkeypatch.setattr(torch, "save", full)
    assert main(words()) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "the disk or the quota is full; make room and run the same command again" in error
    assert not [p for p in results.rglob("*") if p.suffix in (".pt", ".part")]


def test_natural_training_can_be_left_too(run, few_digits):
    natural = dataclasses.replace(run, attack=None)
    whole = train(dense(), few_digits, natural)
    natural.checkpoint.unlink()
    with pytest.raises(LeftUnfinished):
        train(dense(), few_digits, natural, Scripted(3))
    assert_equal(whole[Selection.LAST], train(dense(), few_digits, natural)[Selection.LAST])


def test_an_excess_before_the_stop_is_not_forgotten(run, few_digits):
    """What the first session saw beyond the budget fails the epoch in the second."""
    attack = training_attack(SearchMethod.PGD7, 8)
    adversarial = dataclasses.replace(run, attack=attack)
    with pytest.raises(LeftUnfinished):
        train(dense(), few_digits, adversarial, Scripted(3))
    stored = load_tensors(adversarial.checkpoint)
    stored["state"]["part"]["overrun"] = 0.5
    torch.save(stored, adversarial.checkpoint)
    with pytest.raises(RuntimeError):
        train(dense(), few_digits, adversarial)

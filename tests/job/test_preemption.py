"""Leaving a cell unfinished, and continuing it to the bit-identical result."""

from __future__ import annotations

import io
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rst_core.identity import split_cell_path
from rst_core.job import cells
from rst_core.job.cli import main
from rst_core.job.lease import held
from rst_core.job.log import log
from rst_core.job.paths import lease_path
from rst_core.job.preemption import PREEMPTED, Preempted, Preemption
from rst_core.storage import load_tensors, read_header, save_tensors
from tests.conftest import BRIEF, NARROW, ROOT
from tests.job.flags import to_flags
from tests.measures.test_evaluation import PGD

CELL = "results/cells/digits/narrow/signed_kaiming_constant-seed0"
TICKET = f"{CELL}/rst-keep0.3-element-pgd7-eps8"


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
    assert process.returncode == PREEMPTED, error
    assert "preempted (SIGTERM); saved, rerun the same command to continue" in error
    assert not list(tmp_path.rglob("ticket.pt"))
    assert not list(tmp_path.rglob("lease"))
    process = rst(tmp_path, *more)
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert error.count("continuing after epoch") == 1
    provenance = read_header(tmp_path / TICKET / "last/ticket.pt")["provenance"]
    assert provenance["sessions"] == 2
    assert provenance["processes"] == processes
    assert not list(tmp_path.rglob("checkpoints"))


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
    assert said.count("is up to date") == 2
    assert "epoch 1" not in said


def test_a_second_job_takes_over_from_a_killed_one_and_makes_the_uninterrupted_ticket(
    results, tmp_path
):
    whole = tmp_path / "whole"
    whole.mkdir()
    shutil.copy("data.json", whole)
    # Epochs enough that even a starved test kills long before the end.
    uninterrupted = rst(whole, "--epochs", "8")
    said = uninterrupted.communicate()[1]
    assert uninterrupted.returncode == 0, said
    for epoch in (1, 2):
        first = rst(tmp_path, "--epochs", "8")
        read_until(first, f"epoch {epoch},")
        first.kill()
        first.wait()
        assert not list((tmp_path / TICKET).rglob("ticket.pt"))
    second = rst(tmp_path, "--epochs", "8")
    _, said = second.communicate()
    assert second.returncode == 0
    assert f"taken over from process {first.pid} on" in said
    assert "continuing after epoch" in said
    assert not list(tmp_path.rglob("checkpoints"))
    assert not list(tmp_path.rglob("*.part"))
    for selection in ("best_val", "last"):
        one, other = (
            load_tensors(folder / TICKET / selection / "ticket.pt", "Model")[1]
            for folder in (whole, tmp_path)
        )
        assert torch.equal(one["masks"]["data"], other["masks"]["data"])
        assert torch.equal(one["batch_norm"], other["batch_norm"])


def test_a_waiting_job_ends_at_sigterm(results, tmp_path):
    cell = split_cell_path(f"{TICKET}/best_val/ticket.pt")[1]
    with held(lease_path(tmp_path / "results/cells", cell)):
        waiting = rst(tmp_path)
        read_until(waiting, "waiting: process")
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(timeout=120) == PREEMPTED


def test_sigterm_in_the_middle_of_a_line_of_the_log_is_not_lost():
    class Pressed(io.StringIO):
        def write(self, text: str) -> int:
            signal.raise_signal(signal.SIGTERM)
            return len(text)

    handler = logging.StreamHandler(Pressed())
    log.addHandler(handler)
    try:
        with pytest.raises(Preempted), Preemption().on_sigterm():
            log.error("a line")
    finally:
        log.removeHandler(handler)


def test_sigterm_while_a_file_is_read_does_not_make_it_a_damaged_file(tmp_path, monkeypatch):
    save_tensors(tmp_path / "made.pt", torch.ones(2), "kind")
    monkeypatch.setattr(torch, "load", lambda *args, **opts: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(Preempted), Preemption().on_sigterm():
        load_tensors(tmp_path / "made.pt", "kind")


def test_what_is_there_of_the_same_settings_and_models_is_left_as_it_is(results, monkeypatch):
    """Without torch; and of other settings, or over another model, it is made again."""
    assert main(words()) == 0
    attack = ["attack", f"{TICKET}/best_val/pgd4-eps8.json", "--data", "data.json", *to_flags(PGD)]
    assert main(attack) == 0
    made = [*sorted(Path(TICKET).rglob("ticket.pt")), Path(attack[1])]
    before = [path.read_bytes() for path in made]
    for path in made:
        os.utime(path, (1, 1))
    script = "import sys; from rst_core.job.cli import main; status = main(sys.argv[1:])\n"
    script += "sys.exit(status or 'torch' in sys.modules)"
    for command in (words(), attack):
        again = [sys.executable, "-c", script, *command]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        found = subprocess.run(again, env=environment, capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr
        assert "is up to date" in found.stderr
    assert [path.read_bytes() for path in made] == before
    assert all(path.stat().st_mtime > 1 for path in made)

    assert main([*attack, "--steps", "5"]) == 0
    other_steps = Path(attack[1]).read_bytes()
    assert other_steps != before[-1]
    assert main(attack) == 0
    assert main(words("--lr", "0.05")) == 0, "another ticket under the same name"
    assert made[0].read_bytes() != before[0]
    stale = Path(attack[1]).read_bytes()
    assert main(attack) == 0
    assert Path(attack[1]).read_bytes() != stale
    Path(attack[1]).write_bytes(stale[:-40])
    assert main(attack) == 0, "a damaged file is made again"
    with monkeypatch.context() as patch:
        patch.setattr(cells, "attack_and_evaluate", None)
        assert main(attack) == 0


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
    assert "the disk or the quota is full; free space and rerun the same command" in error
    assert not [p for p in results.rglob("*") if p.suffix in (".pt", ".part")]


def test_a_finished_model_that_is_made_anew_and_left_keeps_its_curve(results):
    assert main(words()) == 0
    curve = Path(TICKET) / "metrics.jsonl"
    before = curve.read_bytes()
    process = rst(results, "--lr", "0.05")
    read_until(process, "epoch 1,")
    process.kill()
    process.communicate()
    assert curve.read_bytes() == before
    assert main(words("--lr", "0.05")) == 0
    assert curve.read_bytes() != before
    assert not list(results.rglob("checkpoints"))

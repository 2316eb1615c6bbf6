"""How far a target is: states from files, pace from records; nothing is locked or written."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from rst_core.identity import Cell, TrainingCell, TransferRow
from rst_core.job.lease import Holder
from rst_core.job.paths import checkpoint_path, lease_path
from rst_core.storage import write_json
from tests.plan.examples import finish, jobs_of, project_in
from workflow.failures import Failure, put_in_place, record
from workflow.plan.planner import make_plan
from workflow.plan.project import Project
from workflow.plan.states import HEARTBEAT_AGE, slurm_jobs
from workflow.plan.status import Status, read_status, status_text

NOW = 1_800_000_000.0
HOUR = 3600.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # no squeue, unless a test puts one there
    monkeypatch.chdir(tmp_path)  # as a run does, which writes down its failures
    return project_in(tmp_path)


def _look(project: Project, *targets: str, tflops: float | None = None) -> Status:
    return read_status(project, targets or ["fig7"], 6 * HOUR, tflops, NOW)


def _cells(project: Project, kind: type[Cell]) -> list[Cell]:
    return [job.cell for job in jobs_of(project, "fig7") if isinstance(job.cell, kind)]


def _states(project: Project) -> dict[Cell, str]:
    return {job.cell: state for job, state in _look(project).states.items()}


def _below(project: Project) -> Path:
    return project.root / project.matrix.results / "cells"


def _claim(project: Project, cell: Cell, number: int, age: float, host: str = "node7") -> None:
    path = lease_path(_below(project), cell) / str(number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(Holder("token", host, None, 42, None, "2026-01-01", "1234"))))
    os.utime(path, (NOW - age, NOW - age))


def _fail(project: Project, cell: Cell, reason: str = "") -> None:
    Path("x.log").write_text(f"loading\n{reason}\n")
    record([Failure("search", [project.matrix.file(cell)], ["x.log"])], project.matrix.results)


def test_a_lease_that_is_touched_is_a_running_job(project: Project) -> None:
    running, stopped, waiting = _cells(project, TrainingCell)
    row, *rows = _cells(project, TransferRow)
    _claim(project, running, 1, HEARTBEAT_AGE + 100, host="node1")
    _claim(project, running, 2, 20)  # taken over: the one that is touched holds
    _claim(project, stopped, 1, HEARTBEAT_AGE + 100)
    _claim(project, row, 1, 1)
    states = _states(project)
    assert (states[running], states[stopped], states[waiting]) == ("running", "stopped", "waiting")
    assert states[row] == "running"
    assert {states[other] for other in rows} == {"waiting"}
    text = status_text(_look(project), "fig7")
    assert "job 1234, process 42 on node7, last heartbeat 20 s ago" in text
    assert "node1" not in text


@pytest.mark.parametrize("entry", ["", "{", "[]", '{"pid": 42}'])
def test_a_job_whose_lease_entry_cannot_be_read_is_running(project: Project, entry: str) -> None:
    running, _, _ = _cells(project, TrainingCell)
    _claim(project, running, 1, 20)
    path = lease_path(_below(project), running) / "1"
    path.write_text(entry)
    os.utime(path, (NOW - 20, NOW - 20))
    assert _states(project)[running] == "running"
    assert "  (last heartbeat 20 s ago)" in status_text(_look(project), "fig7")
    (path.parent / "2").mkdir()  # what no job makes
    assert _states(project)[running] == "running"


def test_a_checkpoint_without_a_lease_is_a_stopped_job(project: Project) -> None:
    stopped, waiting, _ = _cells(project, TrainingCell)
    write_json(checkpoint_path(_below(project), stopped), {})
    states = _states(project)
    assert (states[stopped], states[waiting]) == ("stopped", "waiting")


def test_what_needs_a_failed_cell_is_blocked(project: Project) -> None:
    before, failed, _ = _cells(project, TrainingCell)
    _fail(project, before)  # in the run before: forgotten
    _fail(project, failed, "the disk is full")
    states = _states(project)
    assert (states[before], states[failed]) == ("waiting", "failed")
    # All rows are judged by all tickets.
    assert {states[cell] for cell in _cells(project, TransferRow)} == {"blocked"}
    assert "the disk is full" in status_text(_look(project), "fig7")
    # A job that tries again is more than a record of the last time.
    _claim(project, failed, 1, 1)
    assert _states(project)[failed] == "running"
    assert set(_states(project).values()) == {"running", "waiting"}


def test_a_cell_with_a_record_in_its_place_has_failed_and_is_to_do(project: Project) -> None:
    gone, other, *_ = _cells(project, TransferRow)
    for cell in (gone, other):
        finish(project, cell, at=NOW - HOUR)
    Path("x.log").write_text("out of memory\n")
    put_in_place(Path(project.matrix.file(gone)), Path("x.log"))
    assert (_states(project)[gone], _states(project)[other]) == ("failed", "done")
    assert "out of memory" in status_text(_look(project), "fig7")
    to_do = [job.cell for job in make_plan(project, ["fig7"]).seconds]
    assert gone in to_do
    assert other not in to_do
    Path(project.matrix.file(gone)).unlink()
    finish(project, gone, at=NOW)
    assert _states(project)[gone] == "done"


def test_every_cell_has_one_state_and_files_decide(project: Project) -> None:
    jobs = jobs_of(project, "all")
    for job in jobs[:20]:
        finish(project, job.cell, at=NOW - HOUR)
        _claim(project, job.cell, 1, 1)  # a lease that outlived its cell
    count = Counter(_look(project, "all").states.values())
    assert count["done"] == 20
    assert sum(count.values()) == len(jobs)


def test_the_same_pace_twice_as_much_left_takes_twice_as_long(project: Project) -> None:
    rows = _cells(project, TransferRow)
    finish(project, rows[0], at=NOW - HOUR, seconds=HOUR)
    for cell in _cells(project, TrainingCell):
        finish(project, cell, at=0)
    progress = _look(project)
    # One hour of work in the two hours since it began.
    assert progress.speed == pytest.approx(0.5)
    assert progress.left == pytest.approx(HOUR * (len(rows) - 1))
    assert progress.basis == f"measured for {len(rows) - 1} cells"
    finish(project, rows[1], at=NOW, seconds=HOUR)
    later = _look(project)
    assert later.speed == pytest.approx(1.0)
    assert later.left / later.speed == pytest.approx((len(rows) - 2) * HOUR)
    assert "at this pace" in status_text(later, "")


def test_a_rate_that_is_twice_as_wrong_gives_the_same_time_at_this_pace(project: Project) -> None:
    finish(project, _cells(project, TransferRow)[0], at=NOW - HOUR)
    one, other = (_look(project, tflops=tflops) for tflops in (1.0, 2.0))
    assert one.left == pytest.approx(2 * other.left)
    assert one.left / one.speed == pytest.approx(other.left / other.speed, rel=0.01)
    assert one.basis.startswith("stated for ")
    assert "rate is assumed for" in status_text(_look(project, "fig1"), "")


def test_only_what_was_finished_within_the_window_makes_the_pace(project: Project) -> None:
    old, new, *_ = _cells(project, TransferRow)
    finish(project, old, at=NOW - 7 * HOUR).write_text("{")  # damaged: it hides nothing else
    assert not _look(project).recent
    assert "nothing was finished within the window" in status_text(_look(project), "")
    finish(project, new, at=NOW - 2 * HOUR)
    progress = _look(project)
    assert progress.recent == 1
    assert "measured" in progress.basis
    assert "0.5 cells an hour" in status_text(progress, "")


def test_looking_changes_nothing(project: Project) -> None:
    for job in jobs_of(project, "fig7")[:2]:
        finish(project, job.cell, at=NOW)
    _claim(project, _cells(project, TrainingCell)[2], 1, 1)

    def everything() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in project.root.rglob("*")}

    before = everything()
    status_text(_look(project, "all"), "all")
    assert everything() == before


def _squeue(folder: Path, script: str) -> None:
    path = folder / "bin" / "squeue"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_squeue_is_asked_where_there_is_one(project: Project) -> None:
    assert slurm_jobs() is None
    assert "SLURM" not in status_text(_look(project), "")
    lines = "echo 'RUNNING|None'; echo 'PENDING|Priority'; echo 'PENDING|Resources'"
    _squeue(project.root, f"{lines}; echo 'PENDING|Priority'")
    assert slurm_jobs() == "3 pending, 1 running (pending because: Priority 2, Resources 1)"
    _squeue(project.root, "true")
    assert slurm_jobs() == "no job of yours"
    _squeue(project.root, "echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1")
    assert slurm_jobs() == "squeue failed: slurm_load_jobs error: Unable to contact"

"""How far a target is: states from files, pace from records; nothing is locked or written."""

from __future__ import annotations

import os
import stat
from collections import Counter
from pathlib import Path

import pytest

from rst_core.files import write_json
from rst_core.spec import Cell, TrainingCell, TransferRow
from tests.plan.examples import finish, jobs_of, made_up, project_in
from workflow.failures import Failure, record
from workflow.holes import dig
from workflow.matrix import cell_file
from workflow.plan.planner import make_plan
from workflow.plan.project import Project
from workflow.plan.signs import CHECKPOINT_AGE, CLAIM_AGE, folder_of, slurm_jobs
from workflow.plan.status import Progress, look, status_text

NOW = 1_800_000_000.0
HOUR = 3600.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))  # no squeue, unless a test puts one there
    return project_in(tmp_path)


def _look(project: Project, *targets: str, priced: bool = True) -> Progress:
    return look(project, targets, made_up(project) if priced else None, 6 * HOUR, NOW)


def _cells(project: Project, kind: type[Cell]) -> list[Cell]:
    return [job.cell for job in jobs_of(project, "fig7") if isinstance(job.cell, kind)]


def _states(progress: Progress) -> dict[Cell, str]:
    return {job.cell: state for job, state in progress.states.items()}


def _claim(project: Project, cell: Cell, number: int, age: float, host: str = "node7") -> None:
    path = project.root / "results/checkpoints" / folder_of(cell) / "lease" / str(number)
    holder = {"host": host, "pid": 42, "job": "1234", "since": "2026-01-01", "token": "t"}
    write_json(path, holder)
    os.utime(path, (NOW - age, NOW - age))


def test_a_claim_that_is_touched_is_a_running_job(project: Project) -> None:
    running, stopped, waiting = _cells(project, TrainingCell)
    _claim(project, running, 1, CLAIM_AGE + 100, host="node1")
    _claim(project, running, 2, 20)  # taken over: the highest number holds
    _claim(project, stopped, 1, CLAIM_AGE + 100)
    progress = _look(project, "fig7")
    states = _states(progress)
    assert (states[running], states[stopped], states[waiting]) == ("running", "stopped", "waiting")
    text = status_text(progress, "fig7")
    assert "job 1234, process 42 on node7, last sign 20 s ago" in text
    assert "node1" not in text


def test_without_leases_a_fresh_checkpoint_is_taken_for_a_running_job(project: Project) -> None:
    fresh, old, _ = _cells(project, TrainingCell)
    for cell, age in ((fresh, 60.0), (old, CHECKPOINT_AGE + 60)):
        path = project.root / "results/checkpoints" / folder_of(cell) / "state.pt"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"state")
        os.utime(path, (NOW - age, NOW - age))
    states = _states(_look(project, "fig7"))
    assert (states[fresh], states[old]) == ("running", "stopped")


def test_an_attack_that_is_begun_counts_for_itself_alone(project: Project) -> None:
    first, *others = _cells(project, TransferRow)
    _claim(project, first, 1, 1)
    states = _states(_look(project, "fig7"))
    assert states[first] == "running"
    assert all(states[cell] == "waiting" for cell in [*others, *_cells(project, TrainingCell)])


def test_what_needs_a_failed_cell_is_blocked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = _cells(project, TrainingCell)[0]
    monkeypatch.chdir(project.root)
    Path("x.log").write_text("loading\nthe disk is full\n")
    record([Failure("search", [cell_file(failed)], ["x.log"])])
    progress = _look(project, "fig7")
    states = _states(progress)
    assert states[failed] == "failed"
    # All rows are judged by all tickets.
    assert {states[cell] for cell in _cells(project, TransferRow)} == {"blocked"}
    assert "the disk is full" in status_text(progress, "fig7")
    # A job that tries again is more than a record of the last time.
    _claim(project, failed, 1, 1)
    assert _states(_look(project, "fig7"))[failed] == "running"
    assert set(_states(_look(project, "fig7")).values()) == {"running", "waiting"}


def test_a_hole_has_failed_and_is_to_do_until_it_is_filled(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    hole, other, *_ = _cells(project, TransferRow)
    for cell in (hole, other):
        finish(project, cell, at=NOW - HOUR)
    monkeypatch.chdir(project.root)
    Path("x.log").write_text("out of memory\n")
    dig(Path(cell_file(hole)), Path("x.log"))
    progress = _look(project, "fig7")
    assert (_states(progress)[hole], _states(progress)[other]) == ("failed", "done")
    assert "out of memory" in status_text(progress, "fig7")
    plan = make_plan(project, ["fig7"], None)
    assert hole in plan.to_do
    assert other not in plan.to_do
    Path(cell_file(hole)).unlink()
    finish(project, hole, at=NOW)
    assert _states(_look(project, "fig7"))[hole] == "done"


def test_the_failures_of_the_run_before_are_forgotten(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other, _ = _cells(project, TrainingCell)
    monkeypatch.chdir(project.root)
    for failed in (one, other):
        record([Failure("search", [cell_file(failed)], ["no.log"])])
    states = _states(_look(project, "fig7"))
    assert (states[one], states[other]) == ("waiting", "failed")


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
    progress = _look(project, "fig7", priced=False)
    # One hour of work in the two hours since it began.
    assert progress.speed == pytest.approx(0.5)
    left = [cell for cell, state in _states(progress).items() if state != "done"]
    assert progress.unknown == len([c for c in left if isinstance(c, TrainingCell)])
    assert progress.left == pytest.approx(HOUR * (len(rows) - 1))
    finish(project, rows[1], at=NOW, seconds=HOUR)
    later = _look(project, "fig7", priced=False)
    assert later.speed == pytest.approx(1.0)
    assert later.left / later.speed == pytest.approx((len(rows) - 2) * HOUR)


def test_with_a_calibration_nothing_is_unknown(project: Project) -> None:
    finish(project, _cells(project, TransferRow)[0], at=NOW - HOUR)
    progress = _look(project, "fig7")
    assert progress.unknown == 0
    assert "the calibration (measured on made-up GPU" in status_text(progress, "fig7")
    assumed = made_up(project).model_copy(update={"assumed": "a fast GPU"})
    text = status_text(look(project, ["fig7"], assumed, HOUR * 6, NOW), "fig7")
    assert "ASSUMED, NOT MEASURED" in text


def test_only_what_ended_within_the_window_makes_the_pace(project: Project) -> None:
    old, new, *_ = _cells(project, TransferRow)
    finish(project, old, at=NOW - 7 * HOUR)
    assert not _look(project, "fig7").recent
    assert "nothing was finished within the window" in status_text(_look(project, "fig7"), "")
    finish(project, new, at=NOW - 2 * HOUR, seconds=0)
    progress = _look(project, "fig7")
    assert [record.cell for record in progress.recent] == [new]
    assert "0.5 cells an hour" in status_text(progress, "")


def test_a_damaged_cell_file_hides_nothing_else(project: Project) -> None:
    bad, good, *_ = _cells(project, TransferRow)
    finish(project, bad).write_text("{")
    finish(project, good, at=NOW - HOUR)
    progress = _look(project, "fig7")
    assert [record.cell for record in progress.recent] == [good]
    assert _states(progress)[bad] == "done"


def test_looking_changes_nothing(project: Project) -> None:
    for job in jobs_of(project, "fig7")[:2]:
        finish(project, job.cell, at=NOW)
    _claim(project, _cells(project, TrainingCell)[2], 1, 1)

    def everything() -> dict[str, tuple[int, int]]:
        found = {}
        for path in project.root.rglob("*"):
            seen = path.stat()
            found[str(path)] = (seen.st_mtime_ns, seen.st_size)
        return found

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
    assert "SLURM" not in status_text(_look(project, "fig7"), "")
    lines = "echo 'RUNNING|None'; echo 'PENDING|Priority'; echo 'PENDING|Resources'"
    _squeue(project.root, f"{lines}; echo 'PENDING|Priority'")
    assert slurm_jobs() == "3 pending, 1 running (pending because: Priority 2, Resources 1)"
    _squeue(project.root, "true")
    assert slurm_jobs() == "no job of yours"
    _squeue(project.root, "echo 'slurm_load_jobs error: Unable to contact' >&2; exit 1")
    assert slurm_jobs() == "squeue failed: slurm_load_jobs error: Unable to contact"


def test_the_record_of_a_training_is_its_benchmark(project: Project) -> None:
    cell = _cells(project, TrainingCell)[0]
    path = finish(project, cell)
    os.utime(path, (NOW - HOUR, NOW - HOUR))
    benchmark = project.root / "results/benchmarks" / cell.model.path / "search.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\th:m:s\n1800.5\t0:30:00\n")
    (record,) = _look(project, "fig7", priced=False).recent
    assert (record.seconds, record.whole) == (1800.5, True)

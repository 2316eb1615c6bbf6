"""Leases among real processes; only the watchers' clocks are made up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

import pytest

from rst_core.job import lease
from rst_core.job.lease import (
    Holder,
    LeaseEntry,
    acquire,
    current_entry,
    held,
    leases,
    process_start,
    release,
)
from rst_core.job.log import show_log
from tests.conftest import ROOT

#: Holds a lease; answers "beat" once it has touched its entry, "lost" with whether it has.
HOLDER = """
import sys
from pathlib import Path
from rst_core.job.lease import acquire, release
entry, waited = acquire(Path(sys.argv[1]))
print(entry.generation, flush=True)
for word in sys.stdin:
    if word == "beat\\n":
        entry.renew()
        print("touched", flush=True)
    if word == "lost\\n":
        print(entry.lost(), flush=True)
    if word == "release\\n":
        release(entry)
        print("released", flush=True)
"""

#: Adds 1 to a file as nobody would: read, look away, write. Only exclusion keeps the count.
COUNTER = """
import os, sys
from pathlib import Path
from rst_core.job.lease import held
folder, counter = Path(sys.argv[1]), Path(sys.argv[2])
for _ in range(int(sys.argv[3])):
    with held(folder, poll=0.001):
        count = int(counter.read_text())
        os.sched_yield()
        counter.write_text(str(count + 1))
"""


class Clock:
    """A watcher's clock, which only its own waiting moves."""

    def __init__(self, meanwhile: Callable[[int], None] = lambda number: None) -> None:
        self.now, self.waits, self.meanwhile = 1e6, 0, meanwhile

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.waits += 1
        assert self.waits < 1000, "waits for ever"
        self.now += seconds
        self.meanwhile(self.waits)


class Process:
    """Another process that holds the lease."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin: IO[str] = process.stdin
        self.stdout: IO[str] = process.stdout
        self.generation = int(self.stdout.readline())

    def ask(self, word: str) -> str:
        self.stdin.write(word + "\n")
        self.stdin.flush()
        return self.stdout.readline().strip()

    def kill(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)
        if signum is signal.SIGKILL:
            self.process.wait()
        elif signum is signal.SIGSTOP:
            os.waitpid(self.process.pid, os.WUNTRACED)


@contextmanager
def holder(folder: Path) -> Iterator[Process]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield Process(process)
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def _log_is_shown() -> None:
    show_log()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints" / "cell" / "lease"


def take(folder: Path, clock: Clock, **options: float) -> tuple[LeaseEntry, bool]:
    return acquire(folder, clock=clock, pause=clock.pause, **options)


def pretend(folder: Path, number: int = 1, **changes: object) -> Holder:
    """An entry of somebody else's."""
    other = replace(Holder.present(), **changes)  # type: ignore[arg-type]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / str(number)).write_text(json.dumps(asdict(other)))
    return other


def test_a_free_cell_is_held_at_once_and_leaves_nothing(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("RST_JOB", "42")
    with held(folder, within=tmp_path / "checkpoints") as (entry, waited):
        assert not waited
        assert not entry.lost()
        ((cell, present),) = leases(tmp_path)
        assert cell == folder.parent
        assert (present.pid, present.job) == (os.getpid(), "42")
        assert f"job 42, process {os.getpid()} on" in str(present)
    assert not list(tmp_path.iterdir())


def test_a_holder_that_beats_is_waited_for_until_it_is_done(folder, capsys):
    with holder(folder) as other:

        def meanwhile(wait: int) -> None:
            assert other.ask("beat" if wait < 200 else "release") in ("touched", "released")

        clock = Clock(meanwhile)
        entry, waited = take(folder, clock)
        assert clock.waits == 200
        assert clock.now - 1e6 > 5 * lease.STALE_AFTER
        assert waited
        assert entry.generation == 1
    said = capsys.readouterr().err
    assert said.count("waiting: process") == 1
    release(entry)


def test_a_killed_holder_of_this_machine_is_succeeded_at_once(folder, capsys):
    with holder(folder) as other:
        other.kill(signal.SIGKILL)
        clock = Clock()
        entry, waited = take(folder, clock)
        assert (entry.generation, waited, clock.waits) == (2, True, 0)
        assert "which no longer runs" in capsys.readouterr().err
        assert leases(folder.parent.parent)[0][1].pid == os.getpid()
    release(entry)
    assert not folder.exists()


def test_a_stopped_holder_is_succeeded_when_its_entry_is_stale_and_knows_when_it_wakes(folder):
    with holder(folder) as other:
        other.kill(signal.SIGSTOP)
        clock = Clock()
        entry, _ = take(folder, clock)
        assert clock.now - 1e6 == pytest.approx(lease.STALE_AFTER, abs=lease.POLL)
        other.kill(signal.SIGCONT)
        assert other.ask("lost") == "True"
        assert other.ask("beat") == "touched"
        assert other.ask("release") == "released"
        assert not entry.lost()
    release(entry)
    assert not folder.exists()


def test_an_old_holder_does_not_mistake_anothers_entry_for_its_own(folder):
    with holder(folder) as other:
        other.kill(signal.SIGSTOP)
        release(take(folder, Clock())[0])
        third, _ = take(folder, Clock())
        assert third.generation == other.generation
        other.kill(signal.SIGCONT)
        assert other.ask("lost") == "True"
        other.ask("release")
        assert not third.lost()


@pytest.mark.parametrize("skew", [-1e6, 1e6])
def test_clocks_of_other_machines_do_not_matter(folder, skew):
    other = pretend(folder, machine="another boot")

    def beat(wait: int) -> None:
        if wait < 100:
            os.utime(folder / "1", (skew + wait, skew + wait))

    clock = Clock(beat)
    entry, _ = take(folder, clock)
    assert entry.generation == 2
    alive = 99 * lease.POLL
    assert clock.now - 1e6 == pytest.approx(alive + lease.STALE_AFTER, abs=2 * lease.POLL)
    assert not other.dead()


def test_a_process_number_that_was_given_anew_is_not_the_holder(folder):
    pretend(folder, start=1)
    clock = Clock()
    assert take(folder, clock)[0].generation == 2
    assert clock.waits == 0


@pytest.mark.parametrize("machine", ["another boot", None])
def test_a_process_of_another_machine_is_not_known_to_be_dead(machine, monkeypatch):
    """Nor is one of a machine that cannot be told, asked about on such a machine."""
    if machine is None:
        monkeypatch.setattr(lease, "_machine", lambda: None)
    assert not replace(Holder.present(), machine=machine, start=1).dead()


def test_a_process_that_has_ended_is_dead_though_nobody_has_waited_for_it():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        started = process_start(process.pid)
        assert process.stdin is not None
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert started is not None
        assert process_start(process.pid) is None


def test_an_entry_that_cannot_be_read_is_waited_for_like_any_other(folder):
    folder.mkdir(parents=True)
    (folder / "1").write_text("{half")
    clock = Clock()
    entry, _ = take(folder, clock)
    assert clock.now - 1e6 == pytest.approx(lease.STALE_AFTER, abs=lease.POLL)
    assert entry.generation == 2


def test_of_two_that_saw_a_holder_gone_one_takes_over(folder, monkeypatch):
    pretend(folder, start=1)
    make, rivals = lease._make, []

    def slow(folder: Path, number: int) -> LeaseEntry | None:
        if not rivals:
            # Between the look and the entry, another takes over.
            rivals.append(None)
            rivals[0] = take(folder, Clock())[0]
        return make(folder, number)

    monkeypatch.setattr(lease, "_make", slow)

    def finish(wait: int) -> None:
        assert not rivals[0].lost()
        release(rivals[0])

    clock = Clock(finish)
    entry, _ = take(folder, clock)
    assert clock.waits == 1
    assert not entry.lost()


def test_an_entry_over_a_holder_that_changed_meanwhile_is_withdrawn(folder, monkeypatch):
    """The holder that was found gone leaves, and a third takes its number before the new entry."""
    pretend(folder, machine="another boot")
    make, third = lease._make, []

    def slow(folder: Path, number: int) -> LeaseEntry | None:
        if not third:
            (folder / "1").unlink()
            third.append(make(folder, 1))
        return make(folder, number)

    monkeypatch.setattr(lease, "_make", slow)

    def later(wait: int) -> None:
        if third:
            assert not third[0].lost(), "a live holder lost its cell"
            assert current_entry(folder).generation == 1
            if wait > 100:
                release(third[0])

    monkeypatch.setattr(Holder, "dead", lambda self: False)
    clock = Clock(later)
    clock.pause, pause = (lambda s: (third and third[0].renew(), pause(s))[1]), clock.pause
    entry, _ = take(folder, clock)
    assert clock.waits > 100
    assert not entry.lost()


def test_many_processes_exclude_each_other(folder, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    # The first of them finds a dead holder.
    pretend(folder, start=1)
    command = [sys.executable, "-c", COUNTER, str(folder), str(counter), "20"]
    processes = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) for _ in range(5)]
    for process in processes:
        _, error = process.communicate()
        assert process.returncode == 0, error.decode()
    assert counter.read_text() == "100"
    assert not folder.exists()


def test_the_holder_renews_its_entry_by_itself(folder):
    with held(folder, heartbeat=0.001) as (entry, _):
        os.utime(entry.path, (1, 1))
        while os.stat(entry.path).st_mtime == 1:
            os.sched_yield()


def test_an_entry_that_nobody_can_open_ends_in_a_sentence_instead_of_waiting(folder):
    (folder / "1").mkdir(parents=True)
    with pytest.raises(OSError, match=r"holds 1, which cannot be read .*remove that folder"):
        acquire(folder, pause=lambda seconds: pytest.fail("waits"))

"""When a cell's state is saved, when its job leaves, and which state is continued."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from rst_core.job.checkpoint import Checkpoint
from rst_core.job.preemption import Preempted, Preemption


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def checkpoint(tmp_path: Path, clock: Clock) -> Checkpoint:
    return Checkpoint("a cell", tmp_path / "state.pt", "key", Preemption(clock=clock), clock=clock)


def of(checkpoint: Checkpoint, key: str = "key") -> Checkpoint:
    """The checkpoint of the next job."""
    return Checkpoint("a cell", checkpoint.path, key, Preemption())


def test_a_state_is_saved_when_it_is_due_and_when_the_last_one_is_old(checkpoint, clock):
    states = iter([{"value": 1}, {"value": 2}, {"value": 3}])
    checkpoint.maybe_save("after step 1", lambda: next(states))
    assert not checkpoint.path.exists()
    checkpoint.maybe_save("after step 2", lambda: next(states), due=True)
    assert of(checkpoint).restore() == {"value": 1}
    clock.now = checkpoint.interval - 1
    checkpoint.maybe_save("after step 3", lambda: next(states))
    assert of(checkpoint).restore() == {"value": 1}
    clock.now = checkpoint.interval
    checkpoint.maybe_save("after step 4", lambda: next(states))
    checkpoint.maybe_save("after step 5", lambda: next(states))
    assert of(checkpoint).restore() == {"value": 2}


def test_a_terminated_job_saves_and_leaves_and_the_next_one_says_from_where(checkpoint, caplog):
    caplog.set_level(logging.INFO)
    checkpoint.preemption.terminated = True
    checkpoint.precisions.add("float32")
    with pytest.raises(Preempted, match=r"stopped after step 7: preempted \(SIGTERM\); saved"):
        checkpoint.maybe_save("after step 7", lambda: {"value": 1})
    following = of(checkpoint)
    assert following.restore() == {"value": 1}
    assert following.continued == ["after step 7"]
    assert "a cell: continuing after step 7" in caplog.text
    following.precisions.add("bfloat16")
    following.maybe_save("after step 9", lambda: {"value": 2}, due=True)
    third = of(checkpoint)
    third.restore()
    assert third.precisions == {"float32", "bfloat16"}
    assert third.continued == ["after step 7", "after step 9"]


def test_a_job_that_has_lost_its_cell_writes_nothing(checkpoint, clock):
    checkpoint.preemption.lease_lost = lambda: True
    checkpoint.preemption.terminated = True
    clock.now = 10.0
    with pytest.raises(Preempted, match="another job has taken over"):
        checkpoint.maybe_save("after step 7", lambda: {"value": 1}, due=True)
    assert not checkpoint.path.exists()
    with pytest.raises(Preempted, match="another job has taken over"):
        checkpoint.preemption.check()


@pytest.mark.parametrize("spoil", ["other key", "cut off", "not ours"])
def test_any_other_state_is_named_and_not_continued(checkpoint, caplog, spoil):
    caplog.set_level(logging.INFO)
    checkpoint.maybe_save("after step 1", lambda: {"value": 1}, due=True)
    if spoil == "cut off":
        checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:-40])
    elif spoil == "not ours":
        checkpoint.path.write_bytes(b"half a file")
    following = of(checkpoint, "another" if spoil == "other key" else "key")
    assert following.restore() is None
    assert "a cell: starting from scratch: " in caplog.text
    assert following.continued == []


def test_what_killed_jobs_left_goes_with_the_file(checkpoint):
    checkpoint.maybe_save("after step 1", lambda: {"value": 1}, due=True)
    checkpoint.path.with_name(".state.pt.abc.part").touch()
    checkpoint.remove()
    assert not list(checkpoint.path.parent.iterdir())

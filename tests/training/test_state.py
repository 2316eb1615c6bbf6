"""A run that was interrupted continues where it was, and only what is its own."""

import pytest

from rst_core.training.loop import train
from tests.checkpoints import InMemory, Interrupted
from tests.training.runs import NATURAL, RUN, assert_equal, dense, finetune, metrics, search


# Three steps an epoch, then its end: call 2 is after the second step, 4 the first epoch's end.
@pytest.mark.parametrize(
    ("make", "run", "at", "place"),
    [
        (search, RUN, 1, "after epoch 0 of 3 and 1 steps of the next"),
        (search, RUN, 3, "after epoch 0 of 3 and 3 steps of the next"),
        (search, RUN, 4, "after epoch 1 of 3"),
        (search, RUN, 10, "after epoch 2 of 3 and 2 steps of the next"),
        (dense, RUN, 8, "after epoch 2 of 3"),
        (dense, NATURAL, 2, "after epoch 0 of 3 and 2 steps of the next"),
        (finetune, RUN, 6, "after epoch 1 of 3 and 2 steps of the next"),
    ],
)
def test_an_interrupted_run_continues_to_the_bit_identical_result(
    uninterrupted, few_digits, make, run, at, place
):
    whole, checkpoints = uninterrupted(make, run)
    interrupted = InMemory(at)
    with pytest.raises(Interrupted):
        train(make(), few_digits, run, interrupted)
    assert interrupted.progress == place
    continued = InMemory(saved=interrupted.saved)
    assert_equal(whole, train(make(), few_digits, run, continued))
    assert continued.calls == checkpoints.calls - at
    assert metrics(continued) == metrics(checkpoints)


def test_excess_and_time_before_the_stop_are_not_forgotten(few_digits):
    """What the first job saw beyond the budget fails the epoch in the second."""
    interrupted = InMemory(2)
    with pytest.raises(Interrupted):
        train(dense(), few_digits, RUN, interrupted)
    interrupted.saved["state"]["part"]["seconds"] = 1000.0
    continued = InMemory(saved=interrupted.saved)
    train(dense(), few_digits, RUN, continued)
    assert continued.saved["state"]["metrics"][0]["seconds"] > 1000
    interrupted.saved["state"]["part"]["overrun"] = 0.5
    with pytest.raises(RuntimeError):
        train(dense(), few_digits, RUN, InMemory(saved=interrupted.saved))


def test_the_state_of_another_model_is_refused(few_digits):
    interrupted = InMemory(1)
    with pytest.raises(Interrupted):
        train(search(), few_digits, RUN, interrupted)
    del interrupted.saved["variables"]["network.conv1.weight"]
    with pytest.raises(ValueError, match="of another model"):
        train(search(), few_digits, RUN, InMemory(saved=interrupted.saved))

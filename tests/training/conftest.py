"""Finished runs, each made once."""

from functools import cache

import pytest

from rst_core.training.loop import train
from tests.checkpoints import InMemory
from tests.training.runs import RUN


@pytest.fixture(scope="package")
def uninterrupted(few_digits):
    """What a training ends with, and its checkpoints; each is run once."""

    @cache
    def trained(make, run=RUN):
        checkpoints = InMemory()
        return train(make(), few_digits, run, checkpoints), checkpoints

    return trained

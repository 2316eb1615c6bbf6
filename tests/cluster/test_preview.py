"""The end of a dry run: jobs, GPUs and hours of what will be submitted."""

import logging
from collections import Counter, defaultdict
from types import SimpleNamespace

import pytest

from workflow.cluster.preview import Executor, share

ONE, FOUR = {"gpu": 1, "runtime": 60}, {"gpu": 4, "runtime": 60}
SHORT = {"gpu": 1, "runtime": 10}


@pytest.mark.parametrize(
    ("levels", "slots", "gpus", "minutes"),
    [
        ([[ONE]], 1, 1, 60),
        ([[ONE], [SHORT, SHORT]], 1, 1, 80),
        ([[ONE, ONE], [SHORT] * 5], 4, 4, 80),
        ([[FOUR], [SHORT]], 1, 4, 70),
        ([[FOUR, FOUR]], 8, 8, 60),
    ],
)
def test_cells_share_gpus_and_follow_each_other(levels, slots, gpus, minutes):
    assert share(levels, slots) == (gpus, minutes)


def job(rule: str, network: str):
    return SimpleNamespace(
        rule=SimpleNamespace(name=rule),
        wildcards={"model": f"cifar10/{network}/x-seed0"},
        is_group=lambda: False,
    )


@pytest.fixture
def preview(monkeypatch) -> Executor:
    made = Executor.__new__(Executor)
    made.logger = logging.getLogger("preview")
    made.workflow = SimpleNamespace(output_settings=SimpleNamespace(printshellcmds=False))
    made._counts, made._hours, made._cells = Counter(), defaultdict(float), 0
    changes = {"total": 2880, "slots": 1, "asked_by": staticmethod(lambda job: job.asked)}
    for name, value in changes.items():
        monkeypatch.setattr(Executor, name, value, raising=False)
    return made


def test_the_overview_has_a_line_a_kind_and_a_sum(preview):
    for rule, asked in (("search", ONE), ("search", ONE), ("attack", SHORT), ("table", {})):
        one = job(rule, "resnet18")
        one.asked = asked
        preview.printjob(one)
    lines = [line.split() for line in preview.summary().splitlines()]
    assert lines[1] == ["2", "2", "search,", "cifar10", "resnet18,", "1", "GPU"]
    assert lines[-1][:2] == ["3", "2"]
    assert lines[-1][-2:] == ["3", "cells"]

"""The end of a dry run: jobs, GPUs and hours of what will be submitted."""

import logging
from collections import Counter, defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

from rst_core.identity import parse_cell
from tests.conftest import ROOT
from workflow.cluster.preview import LINES, Executor, install, share
from workflow.machine import read_machine, resources

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


def job(file: str, network: str = "resnet18", init: str = "kaiming_normal") -> Any:
    cell = file and parse_cell(
        f"cifar10/{network}/{init}-seed0/rst-keep0.2-element-pgd7-eps8/{file}"
    )
    return SimpleNamespace(cell=cell or None, is_group=lambda: False)


@pytest.fixture
def preview(monkeypatch) -> Executor:
    made = Executor.__new__(Executor)
    made.logger = logging.getLogger("preview")
    made.workflow = SimpleNamespace(output_settings=SimpleNamespace(printshellcmds=False))
    made._counts, made._hours, made._cells = Counter(), defaultdict(float), 0
    monkeypatch.setattr(ExecutorPluginRegistry(), "plugins", {"dryrun": SimpleNamespace()})
    install(read_machine(ROOT / "slurm/machine.yaml"), 1, lambda job: job.cell)
    return made


def test_the_overview_has_a_line_a_kind_and_a_sum(preview):
    search, attack = "last/ticket.pt", "last/pgd20-eps8.json"
    for one in (job(search), job(search), job(attack), job("")):
        preview.printjob(one)
    hours = resources(job(search).cell, preview.machine)["runtime"] / 60
    lines = [line.split() for line in preview.summary().splitlines()]
    assert lines[1] == ["2", f"{2 * hours:.0f}", "search,", "cifar10", "resnet18,", "1", "GPU"]
    assert lines[2][2] == "attack,"
    assert lines[-1][0] == "3"
    assert lines[-1][-2:] == ["3", "cells"]


def test_a_cell_that_takes_several_jobs_counts_with_all_of_them(preview):
    machine = read_machine(ROOT / "slurm/machine.yaml")
    short = machine.model_copy(update={"job_minutes": 60})
    install(short, 1, lambda job: job.cell)
    one = job("last/ticket.pt")
    preview.printjob(one)
    hours = resources(one.cell, machine)["runtime"] / 60
    assert preview.summary().splitlines()[1].split()[1] == f"{hours:.0f}"
    assert hours > 1


def test_kinds_beyond_the_last_line_share_one(preview):
    for number in range(300):
        preview.printjob(job("last/ticket.pt", f"n{number}"))
    lines = preview.summary().splitlines()
    assert len(lines) == LINES + 3
    assert lines[-2].split()[0] == str(300 - LINES)
    assert lines[-2].split()[2:4] == [str(300 - LINES), "other"]

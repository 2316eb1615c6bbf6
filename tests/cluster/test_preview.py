"""The end of a dry run: jobs, GPUs and hours of what will be submitted."""

from collections import Counter, defaultdict
from types import SimpleNamespace

import pytest

from tests.conftest import ROOT
from workflow.cluster.preview import Executor, share
from workflow.machine import read_machine

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


NETWORK = "results/cells/cifar10/resnet18/signed_kaiming_constant-seed0"
RST = f"{NETWORK}/rst-keep0.2-element-pgd7-eps8/best_val"


def job(rule: str, output: str):
    return SimpleNamespace(rule=SimpleNamespace(name=rule), output=[output], is_group=lambda: False)


def test_the_overview_has_a_line_a_kind_and_a_sum(monkeypatch):
    preview = Executor.__new__(Executor)
    preview.workflow = SimpleNamespace(output_settings=SimpleNamespace(printshellcmds=False))
    preview._counts, preview._hours, preview._cells = Counter(), defaultdict(float), 0
    machine = read_machine(ROOT / "slurm" / "machine.yaml")
    monkeypatch.setattr(Executor, "machine", machine, raising=False)
    monkeypatch.setattr(Executor, "slots", 1, raising=False)
    for rule, output in (
        ("search", f"{RST}/ticket.pt"),
        ("search", f"{RST.replace('0.2', '0.5')}/ticket.pt"),
        ("attack", f"{RST}/pgd20-eps8.json"),
        ("table", "results/tables/table3.csv"),
    ):
        preview.printjob(job(rule, output))
    rows = preview.summary().splitlines()
    lines = [[word.strip() for word in row.split("|")[1:4]] for row in rows]
    assert lines[2] == ["2", "24", "search, cifar10 resnet18, 1 GPU"]
    assert lines[-1] == ["3", "24", "in all will be submitted to SLURM, for 3 cells"]

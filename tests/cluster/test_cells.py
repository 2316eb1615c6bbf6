"""What the executor knows of cells by their paths."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from workflow.cluster.cells import job_name, last_saved

PLACE = "results/cells/cifar10/resnet18/signed_kaiming_constant-seed0"
RST = f"{PLACE}/rst-keep0.2-element-pgd7-eps8/best_val"


def job(rule: str, output: str) -> SimpleNamespace:
    return SimpleNamespace(rule=SimpleNamespace(name=rule), output=[output], is_group=lambda: False)


@pytest.mark.parametrize(
    ("rule", "output", "name"),
    [
        ("search", f"{RST}/ticket.pt", "search cifar10 resnet18 rst 0.2 s0"),
        ("attack", f"{RST}/pgd20-eps8.json", "attack cifar10 resnet18 rst 0.2 s0 pgd20-eps8"),
        (
            "features",
            f"{PLACE}/untrained/feature_distance.json",
            "features cifar10 resnet18 untrained s0 feature_distance",
        ),
        (
            "search",
            f"{PLACE.replace('signed_kaiming_constant', 'xavier_normal')}"
            "/rst-keep0.05-row-pgd7-eps12/last/ticket.pt",
            "search cifar10 resnet18 rst xavier_normal 0.05 row eps12 s0",
        ),
    ],
)
def test_a_jobs_name_says_the_cell(rule, output, name):
    assert job_name(job(rule, output)) == name
    jobs = [job("attack", f"{PLACE}/zzz/best_val/pgd20-eps8.json"), job(rule, output)]
    group = SimpleNamespace(jobs=jobs, is_group=lambda: True)
    assert job_name(group) == f"{name} +1"


def test_progress_is_a_checkpoint_or_a_result_and_no_lease(tmp_path):
    ticket, attack = tmp_path / RST / "ticket.pt", tmp_path / RST / "pgd20-eps8.json"
    work = {
        one: Path(str(one.with_suffix("")).replace("/cells/", "/checkpoints/"))
        for one in (ticket, attack)
    }
    work[ticket] = work[ticket].parents[1]

    def now(*outputs):
        jobs = [job("any", str(output)) for output in outputs]
        return last_saved(SimpleNamespace(jobs=jobs, is_group=lambda: True))

    for cell, folder in work.items():
        (folder / "lease").mkdir(parents=True)
        (folder / "lease" / "1").touch()
        assert now(cell) == 0
        (folder / "state.pt").touch()
        assert now(cell) > 0
        (folder / "state.pt").unlink()
    ticket.parent.mkdir(parents=True)
    ticket.touch()
    assert now(attack) == 0
    assert now(attack, ticket) == now(ticket) > 0

"""What the executor knows of cells by their paths."""

from pathlib import Path

import pytest

from workflow.cluster.cells import job_name, last_saved

PLACE = "results/cells/cifar10/resnet18/signed_kaiming_constant-seed0"
RST = f"{PLACE}/rst-keep0.2-element-pgd7-eps8/best_val"


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
    assert job_name([rule], [output]) == name
    assert job_name([rule, "attack"], [output, f"{RST}/pgd20-eps8.json"]) == f"{name} +1"


def test_progress_is_a_checkpoint_or_a_result_and_no_lease(tmp_path):
    cells, checkpoints = tmp_path / "cells", tmp_path / "checkpoints"
    model = Path("d/n/s/m")
    ticket, attack = (cells / model / "best_val" / name for name in ("ticket.pt", "pgd20.json"))

    def now(*outputs):
        return last_saved([str(output) for output in outputs], cells, checkpoints)

    assert now(ticket) == 0
    (checkpoints / model / "lease").mkdir(parents=True)
    (checkpoints / model / "lease" / "1").touch()
    assert now(ticket) == 0
    (checkpoints / model / "state.pt").touch()
    assert now(ticket) > 0
    assert now(attack) == 0
    batches = checkpoints / model / "best_val" / "pgd20"
    batches.mkdir(parents=True)
    (batches / "0.pt").touch()
    assert now(attack) > 0
    ticket.parent.mkdir(parents=True)
    ticket.touch()
    assert now(attack, ticket) >= now(attack)

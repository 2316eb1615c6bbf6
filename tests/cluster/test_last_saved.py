"""When the cells of a job last saved something."""

import os

from rst_core.identity import parse_cell
from workflow.cluster.last_saved import last_saved

MODEL = "cifar10/resnet18/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8"
TICKET, ATTACK = (
    parse_cell(f"{MODEL}/best_val/{file}") for file in ("ticket.pt", "pgd20-eps8.json")
)


def test_a_checkpoint_and_a_result_count_and_a_lease_does_not(tmp_path):
    cells, checkpoints = tmp_path / "cells", tmp_path / "checkpoints"
    assert last_saved(cells, [TICKET]) == 0
    (checkpoints / MODEL / "lease").mkdir(parents=True)
    (checkpoints / MODEL / "lease" / "1").touch()
    assert last_saved(cells, [TICKET]) == 0
    (checkpoints / MODEL / "state.pt").touch()
    assert last_saved(cells, [TICKET]) > 0
    assert last_saved(cells, [ATTACK]) == 0
    batches = checkpoints / MODEL / "best_val" / "pgd20-eps8"
    batches.mkdir(parents=True)
    (batches / "state.pt").touch()
    assert last_saved(cells, [ATTACK]) > 0
    (cells / TICKET.path).parent.mkdir(parents=True)
    (cells / TICKET.path).touch()
    later = last_saved(cells, [ATTACK, TICKET]) + 100
    os.utime(cells / TICKET.path, (later, later))
    assert last_saved(cells, [ATTACK, TICKET]) == later

"""One cell that fails always, and finished cells that Snakemake deletes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.e2e.conftest import CELLS, Project

pytestmark = pytest.mark.e2e

TICKET = f"{CELLS}/rst-keep0.5-element-pgd7-eps8/best_val/ticket.pt"
ATTACK = f"{CELLS}/rst-keep0.5-element-pgd7-eps8/best_val/pgd20-eps8.json"


def block(project: Project) -> Path:
    """Let the attack fail whenever it is tried, until the file is removed."""
    cell = Path(ATTACK).relative_to("results/cells").with_suffix("")
    lease = project.folder / "results/checkpoints" / cell / "lease"
    lease.parent.mkdir(parents=True, exist_ok=True)
    lease.write_text("a file where a folder should be")
    return lease


def test_a_failing_cell_is_named_with_its_log_and_all_others_are_made(changeable: Project):
    config = yaml.safe_load((changeable.folder / "tiny.yaml").read_text())
    config["attacks"]["pgd20"]["steps"] = 3
    changeable.config(config)
    block(changeable)
    found = changeable.run("results/figures/fig1.png", "--keep-going")
    said = found.stdout + found.stderr
    assert found.returncode != 0
    assert "1 job failed" in said
    assert f"failed: {ATTACK}" in said
    assert "Not a directory" in said.partition("ends with:")[2]
    assert f"retry: snakemake {ATTACK} " in said
    assert "results/figures/fig1.csv" in said.rpartition("not made")[2]
    other = json.loads((changeable.folder / ATTACK.replace("0.5", "0.2")).read_text())
    assert other["settings"]["attack"]["steps"] == 3, "what does not need the failed cell is made"


def test_a_finished_cell_whose_outputs_were_deleted_is_taken_back(changeable: Project):
    kept = changeable.folder / "results/finished"
    assert not kept.exists(), "a workflow that ends well keeps nothing twice"
    for path in (TICKET, TICKET.replace("best_val", "last"), ATTACK):
        (changeable.folder / path).unlink()
    blocked = block(changeable)
    assert changeable.run(ATTACK).returncode != 0
    before = (changeable.folder / TICKET).read_bytes()
    (changeable.folder / TICKET).unlink()
    blocked.unlink()
    found = changeable.run(ATTACK)
    assert found.returncode == 0, found.stderr
    assert (changeable.folder / TICKET).read_bytes() == before
    log = Path(TICKET.replace("cells", "logs", 1)).parents[1] / "search.log"
    assert "was finished before: kept" in (changeable.folder / log).read_text()
    assert not kept.exists()


def test_another_runtime_reruns_nothing(finished: Project):
    assert finished.planned(ATTACK, "--default-resources", "runtime=99") == {}

"""One cell that fails always, and finished cells that are asked for again."""

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
    kept = json.loads((changeable.folder / ATTACK).read_text())
    assert kept["settings"]["attack"]["steps"] == 2, "a failure deletes nothing"
    assert "no backup found" not in said
    assert changeable.planned(ATTACK) == {"attack": 1}


def test_finished_cells_that_are_asked_for_again_are_left_alone(changeable: Project):
    files = [changeable.folder / path for path in (TICKET, ATTACK)]
    before = [path.read_bytes() for path in files]
    found = changeable.run(ATTACK, "--forceall")
    assert found.returncode == 0, found.stderr
    assert [path.read_bytes() for path in files] == before


def test_another_runtime_reruns_nothing(finished: Project):
    assert finished.planned(ATTACK, "--default-resources", "runtime=99") == {}

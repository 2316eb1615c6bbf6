"""A cell that fails always."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import ONE_CELL, Project, tiny

pytestmark = pytest.mark.e2e


def test_a_failing_cell_is_named_with_its_log_and_all_others_are_made(changeable: Project):
    changeable.config(tiny(attacks={"pgd20": {"steps": 3}}))
    cell = Path(ONE_CELL).relative_to("results/cells").with_suffix("")
    lease = changeable.folder / "results/checkpoints" / cell / "lease"
    lease.parent.mkdir(parents=True, exist_ok=True)
    lease.write_text("a file where a folder should be")
    found = changeable.run("results/figures/fig1.png", "--keep-going")
    said = found.stdout + found.stderr
    assert found.returncode != 0
    assert "1 job failed" in said
    assert f"failed: {ONE_CELL}" in said
    assert "Not a directory" in said.partition("ends with:")[2]
    assert f"retry: snakemake {ONE_CELL} " in said
    assert "results/figures/fig1.csv" in said.rpartition("not made")[2]
    other, kept = (
        json.loads((changeable.folder / path).read_text())["settings"]["attack"]["steps"]
        for path in (ONE_CELL.replace("0.2", "0.5"), ONE_CELL)
    )
    assert other == 3, "what does not need the failed cell is made"
    assert kept == 2, "a failure deletes nothing"
    assert "no backup found" not in said
    assert changeable.planned(ONE_CELL) == {"attack": 1}

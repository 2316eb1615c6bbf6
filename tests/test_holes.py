"""Holes: what a cell that failed in a shared job leaves, and how it goes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from workflow import holes
from workflow.artifacts.frame import read_cells
from workflow.artifacts.make import gaps

CELL = Path("results/cells/a/b/c/d/best_val/pgd20-eps8.json")
LOG = Path("results/logs/a/pgd20-eps8.log")


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    LOG.parent.mkdir(parents=True)
    LOG.write_text("loading\nrst attack: out of memory\n\n")


def after(status: int) -> int:
    """The exit status of a rule's shell whose command ended with this one."""
    program = [sys.executable, holes.__file__]
    return subprocess.run([*program, str(status), str(CELL), str(LOG)]).returncode


def test_a_cell_that_failed_by_itself_leaves_a_hole_that_says_why():
    assert after(1) == 0
    assert json.loads(CELL.read_text())["failed"] == "rst attack: out of memory"
    assert holes.holes() == {CELL: LOG}


@pytest.mark.parametrize("status", [75, 137, 143])
def test_one_that_was_ended_fails_and_is_tried_again(status):
    assert after(status) == status
    assert not CELL.exists()


def test_a_cell_that_was_made_since_is_no_hole():
    after(1)
    CELL.unlink()
    CELL.write_text('{"results": []}')
    assert holes.holes() == {}


def test_artifacts_leave_holes_out_and_say_so():
    after(1)
    frame = read_cells([CELL])
    assert frame.empty
    assert gaps(frame) == "INCOMPLETE: 1 cell failed and left out"
    assert gaps(read_cells([])) == ""

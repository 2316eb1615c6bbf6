"""Records of failures, also in place of cells, and what a workflow says of them at its end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rst_core.job.verify import verify
from tests.conftest import ROOT
from tests.test_config import extended
from workflow import failures
from workflow.artifacts.make import gaps
from workflow.artifacts.numbers.frame import read_cells
from workflow.config import read_config
from workflow.failures import LINES, Failure, forget, in_place, record, records, retry, summary
from workflow.images import Datasets
from workflow.matrix import Matrix

CELL = "results/cells/digits/tiny/signed_kaiming_constant-seed0/dense-natural/best_val/weights.pt"
RECORD = Path(CELL.replace("results/", "results/failed/") + ".json")
ATTACK = Path("results/cells/a/b/c/d/best_val/pgd20-eps8.json")
LOG = Path("results/logs/a/pgd20-eps8.log")


def test_the_summary_has_the_end_of_the_log_and_the_command(tmp_path):
    log = tmp_path / "train.log"
    log.write_text("\n".join(f"line {i}" for i in range(20)) + "\n\n")
    failure = Failure("train", [CELL, "other"], [str(log)])
    text = summary(
        [failure],
        ["results/tables/table3.csv"],
        ["snakemake", "all_tables", "--profile", "slurm", "--configfile", "my config.yaml"],
    )
    assert text.startswith("1 job failed")
    assert f"failed: {CELL}\n" in text
    for i in range(20):
        assert (f"    line {i}\n" in text) == (i >= 20 - LINES)
    assert f"retry: snakemake {CELL} --profile slurm --configfile 'my config.yaml'\n" in text
    assert text.endswith("  results/tables/table3.csv")


def test_jobs_are_counted_and_sorted_and_without_a_log_said_to_be_so(tmp_path):
    empty = tmp_path / "train.log"
    empty.touch()
    jobs = [Failure("train", ["b"], [str(empty)]), Failure("train", ["a"], ["none.log"])]
    text = summary(jobs, [], ["snakemake"])
    assert text.startswith("2 jobs failed")
    assert text.index("failed: a") < text.index("failed: b")
    assert text.count("ended before it logged anything, or never started") == 2
    assert "not made" not in text


def test_only_targets_are_replaced():
    argv = [".venv/bin/snakemake", "-j", "4", "all_tables", "all_figures", "--profile=demo"]
    assert retry(argv, ["x"]) == ".venv/bin/snakemake x -j 4 --profile=demo"


def test_the_schedulers_words_stand_beside_the_cell_and_in_its_record(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "search.log"
    log.write_text("")
    words = "search cifar10 (SLURM job 7) ended as OUT_OF_MEMORY on n1"
    text = summary([Failure("search", [CELL], [str(log)], words)], [], ["snakemake"])
    assert f"failed: {CELL}\n  {words}\n  retry" in text
    record([Failure("search", [CELL], [str(log)], words)])
    assert json.loads(RECORD.read_text())["failed"] == words


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    LOG.parent.mkdir(parents=True)
    LOG.write_text("loading\nrst attack: out of memory\n\n")


def after(status: int) -> int:
    """The exit status of a rule's shell whose command ended with this one."""
    program = [sys.executable, failures.__file__]
    return subprocess.run([*program, str(status), str(ATTACK), str(LOG)]).returncode


def test_a_cell_that_failed_by_itself_says_why_in_its_place(log):
    assert after(1) == 0
    assert json.loads(ATTACK.read_text())["failed"] == "rst attack: out of memory"
    assert in_place() == {ATTACK: LOG}


@pytest.mark.parametrize("status", [75, 137, 143])
def test_one_that_was_ended_fails_and_is_tried_again(log, status):
    assert after(status) == status
    assert not ATTACK.exists()


def test_a_record_stays_until_the_cell_is_made(log):
    after(1)
    record([Failure("train", [CELL], [str(LOG)])])
    assert RECORD.exists()
    record([])
    assert not RECORD.exists()
    assert in_place() == {ATTACK: LOG}
    assert list(records()) == [ATTACK]
    ATTACK.write_text('{"results": []}')
    assert in_place() == {}
    forget()
    assert not Path("results/failed").exists()


def test_artifacts_leave_such_cells_out_and_say_so(log):
    after(1)
    frame = read_cells([ATTACK])
    assert frame.empty
    assert gaps(frame) == "INCOMPLETE: 1 cell failed and left out"
    assert gaps(read_cells([])) == ""


def test_the_record_of_a_manifest_is_none_and_goes_when_the_manifest_is_made(log):
    matrix = Matrix(read_config(extended(ROOT / "demo" / "matrix.yaml")))
    record([Failure("data", [matrix.manifest("digits")], [str(LOG)])], matrix.results)
    (found,) = Path(matrix.results, "failed").rglob("*.json")
    assert found == Path("results/demo/failed/data/digits.json")
    assert verify(Path("results")) == 0
    assert Datasets(matrix, lambda: False).digest("digits")
    assert found.exists(), "a dry run makes no manifest"
    assert Datasets(matrix, lambda: True).digest("digits")
    assert not found.exists()
    assert verify(Path("results")) == 0

"""Artifacts from the cells that exist, through the real Snakemake."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pandas as pd
import pytest

from rst_core.storage import write_text
from tests.conftest import ROOT
from tests.e2e.conftest import Project, demo_with_made_up_cells
from tests.workflow.test_config import extended
from workflow.artifacts.registry import TABLES
from workflow.config import read_config
from workflow.matrix import Matrix

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TABLE = "results/demo/tables/table3.csv"
#: Shares no cell with the table.
FIGURE = "results/demo/figures/fig4.png"
PAGE = "results/demo/partial/pages/Table 3 - R2S under PGD-20.html"

Contents = dict[str, tuple[bytes, int]]


def contents(project: Project, folder: str) -> Contents:
    paths = (project.folder / folder).iterdir()
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in paths if p.is_file()}


@contextmanager
def stopped_snakemake(project: Project, target: str) -> Iterator[None]:
    """Another Snakemake makes a target; it stands still, with its lock, inside the block."""
    words = [target, "--cores", "1", "--configfile", "tiny.yaml"]
    with subprocess.Popen(
        [sys.executable, "-m", "snakemake", *words],
        cwd=project.folder, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as other:  # fmt: skip
        try:
            assert other.stderr is not None
            assert any(line.startswith("running: ") for line in other.stderr)
            os.killpg(other.pid, signal.SIGSTOP)
            yield
            os.killpg(other.pid, signal.SIGCONT)
            other.communicate()
            assert other.returncode == 0
        finally:
            if other.poll() is None:
                os.killpg(other.pid, signal.SIGKILL)


@dataclass
class Drawn:
    """A complete table; then, of two of its cells, one gone and one damaged; partial results.

    Attributes:
        complete: files of the complete table, before.
        cells: paths of the table's cells: the first was gone, the second damaged.
        texts: what these two hold.
        told: what ``partial`` said.
        locks: of another Snakemake that worked all the while, before and after.
    """

    project: Project
    complete: Contents
    cells: list[str]
    texts: list[str]
    told: str
    locks: tuple[Contents, Contents]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Drawn:
    demo = demo_with_made_up_cells(tmp_path_factory.mktemp("partial"))
    assert demo.run(TABLE).returncode == 0
    complete = contents(demo, "results/demo/tables")
    matrix = Matrix(read_config(extended(ROOT / "demo" / "matrix.yaml")))
    cells = [matrix.file(cell) for cell in TABLES["table3"].cells(matrix)]
    gone, damaged = (demo.folder / path for path in cells[:2])
    texts = [path.read_text() for path in (gone, damaged)]
    gone.unlink()
    write_text(damaged, '{"cell": ')
    with stopped_snakemake(demo, FIGURE):
        before = contents(demo, ".snakemake/locks")
        found = demo.run("partial", "--nolock")
        assert found.returncode == 0, found.stdout + found.stderr
        locks = before, contents(demo, ".snakemake/locks")
    return Drawn(demo, complete, cells, texts, found.stderr, locks)


def test_partial_results_say_what_is_left_out(drawn):
    assert f"left out: {drawn.cells[1]} is stale: damaged" in drawn.told
    assert "could not be drawn" not in drawn.told
    count = len(drawn.cells)
    curves = drawn.project.folder / "results/demo/partial/pages/Training overview of all.html"
    assert "<li>existence: 0 of " in curves.read_text(), "cells without their models"
    page = (drawn.project.folder / PAGE).read_text()
    assert f"Partial: {count - 2} of {count} cells" in page


def test_the_numbers_that_exist_are_in_cells_csv_and_none_is_computed_for_it(drawn):
    demo = drawn.project
    found = demo.run("cells_csv")
    assert found.returncode == 0, found.stdout + found.stderr
    rows = pd.read_csv(demo.folder / "results/demo/cells.csv")
    written = {f"results/demo/cells/{cell}" for cell in rows["cell"]}
    assert set(drawn.cells[2:]) <= written
    assert not written & set(drawn.cells[:2]), "one is gone, one damaged"
    assert f"has the numbers of {len(written)} of " in found.stderr
    assert demo.planned("cells_csv") == {"cells_csv": 1}


def test_partial_results_are_made_whenever_asked_and_nothing_else_is(drawn):
    demo = drawn.project
    assert demo.planned("partial") == {"partial": 1}, "made again whenever asked"
    gone, damaged = (demo.folder / path for path in drawn.cells[:2])
    assert not gone.exists()
    for path, text in zip((gone, damaged), drawn.texts, strict=True):
        write_text(path, text)
    assert demo.planned(TABLE) == {}
    assert contents(demo, "results/demo/tables") == drawn.complete


def test_partial_results_while_another_snakemake_works_here(drawn):
    before, after = drawn.locks
    assert len(before) == 2
    assert after == before
    assert (drawn.project.folder / FIGURE).is_file(), "the other one ended well"

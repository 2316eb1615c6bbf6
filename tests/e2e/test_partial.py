"""Artifacts from the cells that exist, through the real Snakemake."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
import pytest

from rst_core.identity import Evaluation, TransferRow
from rst_core.storage import write_text
from tests.conftest import ROOT
from tests.e2e.conftest import SLURM, Project, demo_with_made_up_cells
from tests.test_config import PAPER, extended
from workflow.artifacts.registry import FIGURES, TABLES
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


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Project:
    return demo_with_made_up_cells(tmp_path_factory.mktemp("partial"))


@pytest.fixture(scope="module")
def cells() -> list[str]:
    """The table's."""
    matrix = Matrix(read_config(extended(ROOT / "demo" / "matrix.yaml")))
    return [matrix.file(cell) for cell in TABLES["table3"].cells(matrix)]


def test_the_demos_results_stand_for_nothing_in_the_papers_matrix(demo):
    delta = (demo.folder / "tiny.yaml").read_text()
    demo.config({"seeds": [0]})
    jobs = demo.planned("results/figures/fig7.png", "results/tables/table3.csv", *SLURM)
    (demo.folder / "tiny.yaml").write_text(delta)
    assert {"data", "search", "attack", "transfer", "table", "figure"} <= jobs.keys()
    matrix = Matrix(read_config(PAPER | {"seeds": [0]}))
    shown = {c for a in (FIGURES["fig7"], TABLES["table3"]) for c in a.cells(matrix)}
    assert jobs["transfer"] == sum(isinstance(cell, TransferRow) for cell in shown)
    assert jobs["attack"] == sum(isinstance(cell, Evaluation) for cell in shown)


def test_results_that_exist_are_shown_beside_another_snakemake_and_nothing_else_changes(
    demo, cells
):
    """Of a complete table's cells, one is gone and one damaged."""
    assert "1 of 1 jobs" in demo.run(TABLE).stderr
    complete = contents(demo, "results/demo/tables")
    gone, damaged = (demo.folder / path for path in cells[:2])
    texts = [path.read_text() for path in (gone, damaged)]
    gone.unlink()
    write_text(damaged, '{"cell": ')
    with stopped_snakemake(demo, FIGURE):
        locks = contents(demo, ".snakemake/locks")
        found = demo.run("partial", "cells_csv", "--nolock")
        assert len(locks) == 2
        assert contents(demo, ".snakemake/locks") == locks
    assert (demo.folder / FIGURE).is_file(), "the other one ended well"

    assert found.returncode == 0, found.stdout + found.stderr
    assert f"left out: {cells[1]} is stale: damaged" in found.stderr
    assert "could not be drawn" not in found.stderr
    curves = demo.folder / "results/demo/partial/pages/Training overview of all.html"
    assert "<li>existence: 0 of " in curves.read_text(), "cells without their models"
    page = (demo.folder / PAGE).read_text()
    assert f"Partial: {len(cells) - 2} of {len(cells)} cells" in page
    rows = pd.read_csv(demo.folder / "results/demo/cells.csv")
    written = {f"results/demo/cells/{cell}" for cell in rows["cell"]}
    assert set(cells[2:]) <= written
    assert not written & set(cells[:2])
    assert f"has the numbers of {len(written)} of " in found.stderr

    assert demo.planned("partial", "cells_csv") == {"partial": 1, "cells_csv": 1}
    assert not gone.exists(), "none is computed for it"
    for path, text in zip((gone, damaged), texts, strict=True):
        write_text(path, text)
    assert demo.planned(TABLE) == {}
    assert contents(demo, "results/demo/tables") == complete

"""Artifacts from the cells that exist, through the real Snakemake."""

import os
import signal
import subprocess
import sys

import pytest

from rst_core.files import write_text
from tests.conftest import ROOT
from tests.e2e.conftest import Project, demo_with_made_up_cells
from tests.test_config import extended
from workflow.artifacts.registry import TABLES
from workflow.config import read_config
from workflow.matrix import Matrix, cell_file

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TABLE = "results/tables/table3.csv"
PAGE = "results/partial/pages/Table 3.html"


@pytest.fixture
def demo(tmp_path) -> Project:
    return demo_with_made_up_cells(tmp_path)


def contents(project: Project, folder: str) -> dict[str, tuple[bytes, int]]:
    paths = (project.folder / folder).iterdir()
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in paths if p.is_file()}


def drawn(project: Project, *words: str) -> str:
    found = project.run("partial", *words)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stderr


def test_partial_results_are_made_whenever_asked_and_nothing_else_is(demo):
    assert demo.run(TABLE).returncode == 0
    complete = contents(demo, "results/tables")
    matrix = Matrix(read_config(extended(ROOT / "demo" / "matrix.yaml")))
    cells = [cell_file(cell) for cell in TABLES["table3"].cells(matrix)]
    gone, damaged = (demo.folder / path for path in cells[:2])
    before = [path.read_text() for path in (gone, damaged)]
    gone.unlink()
    write_text(damaged, '{"cell": ')
    told = drawn(demo)
    assert f"left out: {cells[1]} is damaged" in told
    assert "could not be drawn" not in told
    assert f"Partial: {len(cells) - 2} of {len(cells)} cells" in (demo.folder / PAGE).read_text()
    assert demo.planned("partial") == {"partial": 1}, "made again whenever asked"
    assert not gone.exists()
    for path, text in zip((gone, damaged), before, strict=True):
        write_text(path, text)
    assert demo.planned(TABLE) == {}
    assert contents(demo, "results/tables") == complete


def test_partial_results_while_another_snakemake_works_here(demo):
    words = [TABLE, "--force", "--cores", "1", "--configfile", "tiny.yaml"]
    with subprocess.Popen(
        [sys.executable, "-m", "snakemake", *words],
        cwd=demo.folder, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as other:  # fmt: skip
        try:
            assert other.stderr is not None
            assert any("Select jobs to execute" in line for line in other.stderr)
            os.killpg(other.pid, signal.SIGSTOP)
            held = contents(demo, ".snakemake/locks")
            assert len(held) == 2
            drawn(demo, "--nolock")
            assert contents(demo, ".snakemake/locks") == held
            os.killpg(other.pid, signal.SIGCONT)
            other.communicate()
            assert other.returncode == 0
        finally:
            if other.poll() is None:
                os.killpg(other.pid, signal.SIGKILL)
    assert (demo.folder / TABLE).is_file()
    assert (demo.folder / PAGE).is_file()

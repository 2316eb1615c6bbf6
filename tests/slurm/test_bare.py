"""No accounting, a controller that forgets a job after two seconds, two nodes of four GPUs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import CELLS, TINY, copy_project
from tests.slurm.cluster import Cluster
from tests.slurm.configuration import PARTITION
from tests.slurm.conftest import started
from tests.slurm.demo import overlaps, provenances
from tests.slurm.processes import until
from tests.slurm.submitter import Submitter
from workflow.machine import read_machine


@pytest.fixture(scope="module")
def bare() -> Iterator[Cluster]:
    with started(Cluster(Path(f"/tmp/rst-bare-{os.getpid()}"), bare=True)) as made:
        yield made


def test_it_is_beside_another_cluster(bare, cluster):
    said = bare.run("srun", "--gpus=1", "env")
    assert "CUDA_VISIBLE_DEVICES=0" in said
    assert f"SLURM_CONF={bare.folder}/slurm.conf" in said
    assert cluster.node_state() == "idle"


def test_cells_of_a_job_are_side_by_side_each_on_a_gpu_and_their_end_is_known(bare, tmp_path):
    """Jobs leave squeue between two looks, and nobody keeps accounts: their scripts say it."""
    submitter = Submitter(copy_project(tmp_path), bare)
    submitter.machine(account="", job_minutes=60)
    submitter.project.config(TINY)
    cells = [f"{CELLS}/rst-keep{keep}-element-pgd7-eps8/best_val/pgd20-eps8.json"
             for keep in (0.2, 0.5)]  # fmt: skip
    whole = ("--resources", "slot=4", "--group-components", "models=4", "evaluations=20")
    run = submitter.start(*cells, *whole, "--retries", "0", pause=10)
    try:
        assert run.finish() == 0, run.text
    finally:
        submitter.end()
    assert "accounting does not work here (sacct: " in run.text
    made = provenances(submitter.project.folder)
    searches = [made[cell.replace("pgd20-eps8.json", "ticket.pt")] for cell in cells]
    assert len({one["job"] for one in made.values()}) == 1
    assert len({one["cuda_visible_devices"] for one in searches}) == 2
    assert max(one["started"] for one in searches) < min(one["finished"] for one in searches)
    assert overlaps(submitter.project.folder) == []


def test_four_gpus_are_never_two_and_two(bare, tmp_path):
    machine = read_machine(Path("slurm/machine.yaml"))

    def submit(node: str, *words: str, script: str = "while :; do read -t 1 _; done") -> str:
        where = ("--parsable", f"--partition={PARTITION}", f"--output={tmp_path}/%j.out")
        only = (f"--nodelist={node}",) if node else ()
        return bare.run("sbatch", *where, *only, *words, f"--wrap={script}").strip()

    def state(job: str) -> str:
        return bare.run("squeue", "--noheader", f"--jobs={job}", "--format=%T %r").strip()

    halves = [submit(node, *machine.request(2, 60)) for node in ("n1", "n2")]
    assert until(lambda: all(state(job).startswith("RUNNING") for job in halves), 60)
    whole = submit("", *machine.request(4, 60), script="env")
    assert until(lambda: state(whole) == "PENDING Resources", 60)
    bare.run("scancel", halves[0])
    assert until(lambda: whole not in bare.run("squeue", "--noheader", "--format=%A"), 60)
    bare.run("scancel", halves[1])
    assert "SLURM_JOB_NODELIST=n1\n" in (tmp_path / f"{whole}.out").read_text()

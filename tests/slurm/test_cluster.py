"""The test cluster itself: beside another one, and gone without a trace."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.packages import ClusterError
from tests.slurm.processes import until


def processes_of(folder: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() + b"/" in known and int(process.name) != os.getpid():
            found.append(process.name)
    return found


def test_a_second_cluster_runs_a_job_and_leaves_nothing(cluster):
    folder = Path(f"/tmp/rst-second-{os.getpid()}")
    second = Cluster(folder)
    second.start()
    try:
        said = second.run("srun", "--account=rst", "--gpus=1", "env")
        assert "CUDA_VISIBLE_DEVICES=0" in said
        assert f"SLURM_CONF={folder}/slurm.conf" in said
        with pytest.raises(ClusterError, match="exists; stop that cluster first"):
            Cluster(folder).start()
    finally:
        second.stop()
    assert not folder.exists()
    assert processes_of(folder) == []
    assert cluster.node_state() == "idle"


def test_a_daemon_that_crashes_is_started_again_and_one_that_was_stopped_is_not(healthy):
    daemon = "slurmctld"
    os.kill(int((healthy.folder / "pids" / daemon).read_text()), signal.SIGSEGV)
    assert until(lambda: not healthy.is_up(daemon), 60)
    healthy.tend()
    healthy.wait_idle()
    healthy.stop_daemon(daemon)
    healthy.tend()
    assert not healthy.is_up(daemon)


def test_without_root_it_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match="need root"):
        Cluster(tmp_path / "none").start()
    assert not (tmp_path / "none").exists()


def test_it_removes_no_folder_of_others(tmp_path):
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(ClusterError, match="not a cluster's folder"):
        Cluster(tmp_path).stop()
    assert (tmp_path / "precious").exists()

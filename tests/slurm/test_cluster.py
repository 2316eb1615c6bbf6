"""The test cluster itself; that nothing is left of it is asked wherever it is stopped."""

from __future__ import annotations

import os
import signal

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.packages import ClusterError
from tests.slurm.processes import until


def test_no_second_cluster_starts_in_its_folder(cluster):
    with pytest.raises(ClusterError, match="exists; stop that cluster first"):
        Cluster(cluster.folder).start()


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

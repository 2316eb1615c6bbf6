"""However a job ends or does not start, the reader learns of it, and of sbatch's own words."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import CELLS
from tests.slurm.cluster import Cluster
from tests.slurm.conftest import one_search
from tests.slurm.submitter import TICKET

SUBMITTED = "submitted as SLURM job"


def only_job(cluster: Cluster) -> str:
    return cluster.run("squeue", "--noheader", "--format=%A").strip()


def test_a_cancelled_job_is_a_sentence_and_is_not_submitted_again(submitter):
    submitter.project.config(one_search())
    run = submitter.start(TICKET, "--retries", "5")
    run.wait(lambda: submitter.epochs() >= 2, "second epoch")
    assert submitter.cluster.run("squeue", "--noheader", "--format=%j").strip() == (
        "search rst 0.2 digits tiny s0"
    )
    number = only_job(submitter.cluster)
    submitter.cluster.run("scancel", number)
    assert run.finish() != 0
    summary = run.text.rpartition("failed:")[2]
    assert f"search rst 0.2 digits tiny s0 (SLURM job {number}) ended as CANCELLED by 0" in summary
    assert run.text.count(SUBMITTED) == 1
    # It saved before it left.
    assert "preempted (SIGTERM); saved" in submitter.read_log()


def test_a_job_that_slurm_will_not_start_is_named_and_ctrl_c_cancels_it(submitter):
    submitter.machine(options=["--hold"])
    submitter.project.config(one_search(2))
    run = submitter.start(TICKET, "--retries", "5")
    run.wait(lambda: "SLURM will not start it by itself" in run.text, "the sentence")
    assert "PENDING (JobHeldUser)" in run.text
    os.kill(run.process.pid, signal.SIGINT)
    assert run.finish() != 0
    assert run.text.count(SUBMITTED) == 1
    assert only_job(submitter.cluster) == ""


@pytest.fixture
def one_job_at_a_time(healthy: Cluster) -> Iterator[None]:
    change = ("sacctmgr", "-i", "modify", "user", "root", "set")
    healthy.run(*change, "MaxSubmitJobs=1")
    yield
    healthy.run(*change, "MaxSubmitJobs=-1")


@pytest.mark.usefixtures("one_job_at_a_time")
def test_at_a_limit_on_submitted_jobs_it_waits(submitter):
    submitter.project.config(one_search(2))
    other = f"{CELLS}/rst-keep0.5-element-pgd7-eps8/best_val/ticket.pt"
    run = submitter.start(TICKET, other, "--retries", "0")
    assert run.finish() == 0, run.text
    assert "submissions wait, because sbatch says: AssocMaxSubmitJobLimit" in run.text
    assert run.text.count(SUBMITTED) == 2

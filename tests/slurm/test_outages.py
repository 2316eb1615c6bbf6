"""Snakemake dies, or SLURM's daemons are away: what runs goes on, what is done stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from rst_core.storage import read_header
from tests.slurm.conftest import assert_same_ticket, one_search
from tests.slurm.submitter import TICKET


def test_a_killed_snakemake_is_started_again_while_its_job_runs(submitter, undisturbed):
    submitter.project.config(one_search())
    run = submitter.start(TICKET)
    run.wait(lambda: submitter.epochs() >= 2, "second epoch")
    first = submitter.cluster.run("squeue", "--noheader", "--format=%A").strip()
    # The job stands still until the second one has found it, however slow Snakemake starts.
    assert submitter.cluster.signal_jobs("-m rst_core search", signal.SIGSTOP)
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait()
    assert not (submitter.project.folder / TICKET).exists()
    unlock = [sys.executable, "-m", "snakemake", "--unlock", "--configfile", "tiny.yaml"]
    subprocess.run(unlock, cwd=submitter.project.folder, check=True, capture_output=True)
    again = submitter.start(TICKET)
    again.wait(lambda: "waiting:" in submitter.read_log(), "the second job")
    submitter.cluster.signal_jobs("-m rst_core search", signal.SIGCONT)
    assert again.finish() == 0, again.text
    assert_same_ticket(submitter.project.folder, undisturbed)
    # The second job found the first one's lease, waited, and computed nothing itself.
    assert "; its new job will wait" in again.text
    assert "waiting:" in submitter.read_log()
    assert "epoch" not in submitter.read_log().split("waiting:")[1].split("is up to date")[0]
    assert read_header(submitter.project.folder / TICKET)["provenance"]["job"] == first


def test_the_workflow_waits_for_slurm_daemons_that_are_away(submitter, undisturbed):
    """Away when the job is submitted, and away when it ends; a failure would end the run."""
    submitter.project.config(one_search())
    cluster = submitter.cluster
    cluster.stop_daemon("slurmctld")
    run = submitter.start(TICKET, "--retries", "0")
    run.wait(lambda: "submissions wait" in run.text, "a submission that was refused")
    cluster.start_daemon("slurmctld")
    run.wait(lambda: submitter.epochs() >= 2, "second epoch")
    cluster.stop_daemon("slurmdbd")
    cluster.stop_daemon("slurmctld")
    run.wait((submitter.project.folder / TICKET).exists, "the ticket")
    assert submitter.cluster.node_state() == ""
    cluster.start_daemon("slurmdbd")
    cluster.start_daemon("slurmctld")
    assert run.finish() == 0, run.text
    assert_same_ticket(submitter.project.folder, undisturbed)

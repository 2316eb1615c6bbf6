"""Whatever a cluster does to a search, its ticket is that of an undisturbed one, bit for bit."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.configuration import ACCOUNT
from tests.slurm.conftest import EPOCHS, assert_same_ticket, one_search
from tests.slurm.submitter import TICKET


def preempt(cluster: Cluster) -> None:
    """A job of a partition that goes first takes both GPUs."""
    urgent = ("--partition=urgent", f"--account={ACCOUNT}", "--gpus=2", "--output=/dev/null")
    cluster.run("sbatch", *urgent, "--wrap=true")


def requeue(cluster: Cluster) -> None:
    """What an administrator does who wants the node back."""
    cluster.run("scontrol", "requeue", cluster.run("squeue", "--noheader", "--format=%A").strip())


def kill_the_job(cluster: Cluster) -> None:
    """What the kernel does when memory runs out."""
    assert cluster.signal_jobs("-m rst_core search")


def fail_the_node(cluster: Cluster) -> None:
    """The node goes with all that runs on it, and comes back once SLURM has noticed."""
    cluster.stop_daemon("slurmd", signal.SIGKILL)
    cluster.signal_jobs()
    cluster.wait_for("slurmctld", lambda: cluster.node_state().startswith("down"))
    cluster.start_daemon("slurmd")


@pytest.mark.parametrize("interrupt", [preempt, requeue, kill_the_job, fail_the_node])
def test_an_interrupted_search_continues(
    submitter, undisturbed, interrupt: Callable[[Cluster], None]
):
    submitter.project.config(one_search())
    run = submitter.start(TICKET)
    run.wait(lambda: submitter.epochs() >= 2, "second epoch")
    interrupt(submitter.cluster)
    assert submitter.epochs() < EPOCHS, "the search ended before it was interrupted"
    assert run.finish() == 0, run.text
    assert f"of {EPOCHS}" in continued_from(submitter.read_log())
    assert_same_ticket(submitter.project.folder, undisturbed)
    assert not list((submitter.project.folder / "results/checkpoints").rglob("*.pt"))


def test_a_search_that_reaches_its_time_limit_goes_on_in_the_next_attempt(submitter, undisturbed):
    submitter.project.config(one_search())
    run = submitter.start(TICKET, "--set-resources", "search:runtime=2", "--retries", "0")
    run.wait(lambda: submitter.epochs() >= 2, "second epoch")
    # It stands still until SLURM has sent its signal, on however fast a machine.
    submitter.cluster.signal_jobs("-m rst_core search", signal.SIGSTOP)
    run.wait(lambda: "Will exit after finishing" in submitter.slurm_logs(), "SLURM's signal")
    submitter.cluster.signal_jobs("-m rst_core search", signal.SIGCONT)
    run.wait(lambda: "preempted (SIGTERM); saved" in submitter.read_log(), "the checkpoint")
    assert run.finish() == 0, run.text
    # No attempt has failed: with no retry at all it continued.
    assert "it continues from what it saved" in run.text
    assert "Trying to restart" not in run.text
    assert f"of {EPOCHS}" in continued_from(submitter.read_log())
    assert_same_ticket(submitter.project.folder, undisturbed)


def continued_from(log: str) -> str:
    """The line of a log that says from where it went on."""
    return next((line for line in log.splitlines() if "continuing" in line), f"nowhere:\n{log}")

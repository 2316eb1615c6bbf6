"""Every state of SLURM ends in running, done, again, or a sentence."""

import pytest

from workflow.cluster.states import JobStatus, Outcome, Record, job_status, outcome_of

NOW = 100_000.0
#: All job states of squeue(1) and sacct(1), 22.05 to 24.11.
STATES = [
    "BOOT_FAIL", "CANCELLED", "COMPLETED", "CONFIGURING", "COMPLETING", "DEADLINE", "FAILED",
    "NODE_FAIL", "OUT_OF_MEMORY", "PENDING", "PREEMPTED", "RUNNING", "RESV_DEL_HOLD",
    "REQUEUE_FED", "REQUEUE_HOLD", "REQUEUED", "RESIZING", "REVOKED", "SIGNALING",
    "SPECIAL_EXIT", "STAGE_OUT", "STOPPED", "SUSPENDED", "TIMEOUT", "LAUNCH_FAILED",
    "RECONFIG_FAIL", "POWER_UP_NODE", "EXPEDITING", "UPDATE_DB",
]  # fmt: skip


def found(
    queue=None, *, accounting=None, status=None, unnoticed=0.0, silent=0.0, answered=True
) -> JobStatus:
    record = Record("a job", ended=NOW - unnoticed, seen=NOW - silent)
    return job_status(
        record, queue, accounting, status, now=NOW, grace_seconds=600, answered=answered
    )


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_an_outcome(state):
    assert outcome_of(state) is not Outcome.UNKNOWN
    assert found((state, "None")).outcome is not Outcome.UNKNOWN


def test_a_state_of_the_future_is_named_and_waited_for():
    assert found(("FROZEN", "None")) == JobStatus(
        Outcome.UNKNOWN, "FROZEN", "squeue calls its state 'FROZEN'"
    )


@pytest.mark.parametrize(
    ("queue", "accounting", "words"),
    [
        (("CANCELLED", "None"), ("CANCELLED by 1000", "n1"), "ended as CANCELLED by 1000 on n1"),
        (None, ("CANCELLED by 0", "None assigned"), "ended as CANCELLED by 0"),
        (("CANCELLED", "None"), None, "ended as CANCELLED"),
    ],
)
def test_a_cancelled_job_ends_whoever_reports_it(queue, accounting, words):
    assert found(queue, accounting=accounting) == JobStatus(Outcome.CANCELLED, "CANCELLED", words)


@pytest.mark.parametrize("accounting", [None, ("COMPLETED", "n1"), ("RUNNING", "n1")])
def test_a_job_that_left_squeue_between_two_polls_is_known_by_what_it_left(accounting):
    assert found(accounting=accounting, status=0).outcome is Outcome.DONE


def test_a_failure_is_told_from_being_told_to_stop():
    assert found(accounting=("FAILED", "n1"), status=1).outcome is Outcome.FAILED
    assert found(accounting=("FAILED", "n1"), status=75).outcome is Outcome.RESUBMIT
    assert found(status=75).outcome is Outcome.RESUBMIT
    assert found(("OUT_OF_MEMORY", "OutOfMemory")).message == "ended as OUT_OF_MEMORY (OutOfMemory)"


def test_a_job_that_slurm_starts_again_runs_whatever_its_script_left():
    assert found(("PENDING", "BeginTime"), status=75).outcome is Outcome.RUNNING
    assert (
        found(("PENDING", "BeginTime"), accounting=("PREEMPTED", "n1")).outcome is Outcome.RUNNING
    )


def test_a_job_that_finished_while_it_was_ended_is_done():
    assert found(("TIMEOUT", "TimeLimit"), status=0).outcome is Outcome.DONE


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(0, Outcome.DONE), (75, Outcome.RESUBMIT), (1, Outcome.FAILED), (None, Outcome.RUNNING)],
)
def test_a_job_whose_end_slurm_does_not_notice_ends_with_its_script(status, outcome):
    running = ("RUNNING", "None")
    assert found(running, status=status, unnoticed=119).outcome is Outcome.RUNNING
    assert found(running, status=status, unnoticed=120).outcome is outcome


def test_a_job_that_nobody_knows_is_gone_after_a_while_and_not_while_slurm_is_away():
    assert found(silent=599).outcome is Outcome.UNKNOWN
    gone = found(silent=601)
    assert gone.outcome is Outcome.RESUBMIT
    assert "squeue has not listed it for 10 minutes" in gone.message
    assert found(silent=6000, answered=False).outcome is Outcome.UNKNOWN
    assert "sacct says RUNNING" in found(silent=601, accounting=("RUNNING", "n1")).message


@pytest.mark.parametrize(
    ("reason", "hopeless"),
    [
        ("PartitionTimeLimit", True),
        ("JobHeldAdmin", True),
        ("QOSMaxWallDurationPerJobLimit", True),
        ("Priority", False),
        ("Resources", False),
        ("QOSMaxJobsPerUserLimit", False),
        ("AssocGrpGRES", False),
    ],
)
def test_a_reason_that_no_waiting_resolves_is_said(reason, hopeless):
    assert bool(found(("PENDING", reason)).message) == hopeless

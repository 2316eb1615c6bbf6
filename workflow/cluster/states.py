"""The state of a SLURM job, and what the executor does about it.

Three sources are combined: squeue (until MinJobAge), sacct (if there is accounting), and the exit
status that the job's script writes (script.py). They suffice without accounting, and with a
MinJobAge of seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from rst_core.job.preemption import PREEMPTED

#: Seconds after the end of a job's script in which SLURM should have noticed it. slurmctld 22.05
#: was seen to lose a job's end after its node had failed: the job then "runs" up to its limit.
NOTICE = 120
#: Reasons of pending jobs that no waiting resolves.
_HOPELESS = re.compile(
    r"PartitionTimeLimit|PartitionNodeLimit|PartitionConfig|BadConstraints|Held|held|"
    r"InvalidAccount|InvalidQOS|DependencyNeverSatisfied|AccountNotAllowed|QOSNotAllowed|"
    r"(QOS|Assoc)(Max|Grp)\w+(PerJob|WallDuration)\w*|ReservationDeleted|Reservation_deleted"
)
#: Reasons of pending jobs that mean more than that others go first.
_UNUSUAL = re.compile(r"(?i)NotAvail|down|drain|inactive|BeginTime|launch|fail")


class Outcome(Enum):
    """What follows from a state of SLURM."""

    RUNNING = "wait for it"
    DONE = "its outputs are there"
    RESUBMIT = "it was ended from outside, and the same job continues its cells"
    FAILED = "an attempt failed"
    CANCELLED = "somebody wanted its end, so it is not submitted again"
    UNKNOWN = "nobody could say"


def outcome_of(state: str) -> Outcome:
    """What follows from a state of squeue or sacct, such as ``CANCELLED by 1000``.

    Plugin 2.8 compares the whole text, so that a cancelled job is never seen to end; PREEMPTED
    and states that it does not list run for ever. Remove when mended: snakemake-executor-plugin-
    slurm issues 109 and 132.
    """
    match state.split()[0].rstrip("+") if state.split() else "":
        case (
            "PENDING" | "CONFIGURING" | "RUNNING" | "COMPLETING" | "RESIZING" | "REQUEUED"
            | "REQUEUE_FED" | "REQUEUE_HOLD" | "RESV_DEL_HOLD" | "SPECIAL_EXIT" | "SIGNALING"
            | "STAGE_OUT" | "SUSPENDED" | "STOPPED" | "POWER_UP_NODE" | "EXPEDITING" | "UPDATE_DB"
        ):  # fmt: skip
            return Outcome.RUNNING
        case "COMPLETED":
            return Outcome.DONE
        case (
            "TIMEOUT" | "PREEMPTED" | "NODE_FAIL" | "BOOT_FAIL" | "LAUNCH_FAILED" | "RECONFIG_FAIL"
        ):
            return Outcome.RESUBMIT
        case "FAILED" | "OUT_OF_MEMORY":
            return Outcome.FAILED
        case "CANCELLED" | "DEADLINE" | "REVOKED":
            return Outcome.CANCELLED
        case _:
            return Outcome.UNKNOWN


@dataclass
class Record:
    """What is known of one Snakemake job (or group) beyond one submission.

    Attributes:
        name: of the job in SLURM.
        job_id: of its newest SLURM job.
        submitted: when that was submitted, and ``seen`` when somebody last knew of it (monotonic).
        ended: when its script's exit status was first seen while SLURM called it running.
        state: of that by squeue, and ``since`` when (monotonic).
        ran: whether that was ever running.
        saved: when its cells had last saved something at that time (``Executor.last_saved``).
        minutes: its time limit.
        spent: minutes that all its SLURM jobs had before this one.
        timeouts: attempts that reached their limit without progress; the next asks for more.
        out_of_memory: attempts that ended for want of memory; the next asks for more.
    """

    name: str
    job_id: str = ""
    submitted: float = 0.0
    seen: float = 0.0
    ended: float | None = None
    state: str = ""
    since: float = 0.0
    ran: bool = False
    saved: float = 0.0
    minutes: int = 0
    spent: float = 0.0
    timeouts: int = 0
    out_of_memory: int = 0

    def update(self, queue: tuple[str, str] | None, status: int | None, now: float) -> None:
        """Note what squeue says, and the exit status that its script left."""
        state = queue[0] if queue else ""
        if queue:
            self.seen, self.ran = now, self.ran or state == "RUNNING"
            if state != self.state:
                self.state, self.since = state, now
        if status is None or state != "RUNNING":
            self.ended = None
        elif self.ended is None:
            self.ended = now


@dataclass(frozen=True)
class JobStatus:
    """What has become of a job.

    Attributes:
        outcome: what follows.
        state: SLURM's word.
        message: what there is to say of it, empty while it runs as it should.
    """

    outcome: Outcome
    state: str = ""
    message: str = ""


def job_status(
    record: Record,
    queue: tuple[str, str] | None,
    accounting: tuple[str, str] | None,
    status: int | None,
    *,
    now: float,
    grace_seconds: float,
    answered: bool = True,
) -> JobStatus:
    """Combine the three sources.

    squeue comes first: SLURM may start a job again whose script has ended. A state that says that
    the job was ended from outside is compared with what the script left, which may have finished.

    Args:
        record: what was seen of the job before.
        queue: state and reason by squeue; None if it does not list the job.
        accounting: state and nodes by sacct; None if it does not know the job.
        status: exit status that the job's script left; None if it left none.
        now: monotonic.
        grace_seconds: silence after which a job that SLURM does not list is gone, and one that
            should run and does not is named.
        answered: whether squeue answered at all.
    """
    if queue is not None:
        state, reason = queue
        if status is not None and record.ended is not None and now - record.ended >= NOTICE:
            message = f"ended with exit status {status}, and SLURM still calls it {state}"
            outcomes = {0: Outcome.DONE, PREEMPTED: Outcome.RESUBMIT}
            return JobStatus(outcomes.get(status, Outcome.FAILED), state, message)
        if outcome_of(state) is Outcome.RUNNING:
            return JobStatus(
                Outcome.RUNNING, state, _waits(record, state, reason, now, grace_seconds)
            )
        if outcome_of(state) is Outcome.UNKNOWN:
            return JobStatus(Outcome.UNKNOWN, state, f"squeue calls its state {state!r}")
        # sacct adds who cancelled it, and where it ran.
        if accounting and outcome_of(accounting[0]) is outcome_of(state):
            return _ended(status, *accounting)
        return _ended(status, state, "", reason)
    if status == 0:
        return JobStatus(Outcome.DONE, "COMPLETED")
    if not answered:
        return JobStatus(Outcome.UNKNOWN, "", "squeue does not answer")
    if accounting and outcome_of(accounting[0]) not in (Outcome.RUNNING, Outcome.UNKNOWN):
        return _ended(status, *accounting)
    if status is not None:
        return _ended(status, "FAILED")
    silent = now - record.seen
    if silent < grace_seconds:
        return JobStatus(Outcome.UNKNOWN, "", "squeue does not list it")
    said = f"sacct says {accounting[0]}" if accounting else "sacct does not know it"
    return JobStatus(
        Outcome.RESUBMIT,
        "gone",
        f"is gone: squeue has not listed it for {silent / 60:.0f} minutes, {said}, "
        "and its script left no exit status",
    )


def _waits(record: Record, state: str, reason: str, now: float, grace_seconds: float) -> str:
    """What there is to say of a job that has not ended; empty while it runs or waits its turn."""
    if _HOPELESS.search(f"{reason} {state if '_HOLD' in state else ''}"):
        return f"{state} ({reason}): SLURM will not start it by itself"
    unusual = record.ran or state != "PENDING" or _UNUSUAL.search(reason)
    if state == "RUNNING" or not unusual or now - record.since < grace_seconds:
        return ""
    before = ", though it ran before" if record.ran else ""
    return (
        f"{state} ({reason}) for {grace_seconds / 60:.0f} minutes or more{before}; scontrol show "
        "job and sinfo --list-reasons say more"
    )


def _ended(status: int | None, state: str, nodes: str = "", reason: str = "") -> JobStatus:
    """The status of a job that SLURM says has ended."""
    outcome = Outcome.DONE if status == 0 else outcome_of(state)
    where = f" on {nodes}" if nodes and not nodes.startswith("None") else ""
    why = f" ({reason})" if reason not in ("", "None", state) else ""
    message = f"ended as {state}{where}{why}"
    if outcome is Outcome.FAILED and status == PREEMPTED:
        return JobStatus(Outcome.RESUBMIT, "stopped", f"{message}: it was told to stop (SIGTERM)")
    return JobStatus(outcome, state.split()[0], message)

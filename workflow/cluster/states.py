"""What has become of a job: every state of SLURM ends in running, done, again, or a sentence.

Three witnesses know of a job: squeue (while SLURM remembers it, MinJobAge), accounting (where
there is any), and the file that the job's own script leaves at its end (executor.py). Together
they are enough on a cluster without accounting, and with a MinJobAge of seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

#: Seconds after the end of a job's script in which SLURM should have noticed it. slurmctld 22.05
#: was seen to lose a job's end after its node had failed: the job then "runs" up to its limit.
NOTICE = 120
#: What a job's script leaves that was told to stop (SIGTERM) before its cells were finished.
TOLD_TO_STOP = 75
#: Reasons of pending jobs that no waiting resolves.
_HOPELESS = re.compile(
    r"PartitionTimeLimit|PartitionNodeLimit|PartitionConfig|BadConstraints|Held|held|"
    r"InvalidAccount|InvalidQOS|DependencyNeverSatisfied|AccountNotAllowed|QOSNotAllowed|"
    r"(QOS|Assoc)(Max|Grp)\w+(PerJob|WallDuration)\w*|ReservationDeleted|Reservation_deleted"
)
#: Reasons of pending jobs that mean more than that others go first.
_UNUSUAL = re.compile(r"(?i)NotAvail|down|drain|inactive|BeginTime|launch|fail")


class Kind(Enum):
    """What follows from a state."""

    RUNNING = "wait for it"
    DONE = "its outputs are there"
    AGAIN = "it was ended from outside, and the same job continues its cells"
    FAILED = "an attempt failed"
    CANCELLED = "somebody wanted its end, so it is not submitted again"
    UNKNOWN = "nobody could say"


def kind_of(state: str) -> Kind:
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
            return Kind.RUNNING
        case "COMPLETED":
            return Kind.DONE
        case (
            "TIMEOUT" | "PREEMPTED" | "NODE_FAIL" | "BOOT_FAIL" | "LAUNCH_FAILED" | "RECONFIG_FAIL"
        ):
            return Kind.AGAIN
        case "FAILED" | "OUT_OF_MEMORY":
            return Kind.FAILED
        case "CANCELLED" | "DEADLINE" | "REVOKED":
            return Kind.CANCELLED
        case _:
            return Kind.UNKNOWN


@dataclass(frozen=True)
class Witnesses:
    """What is known of one job.

    Attributes:
        queue: state and reason by squeue; None if it does not list the job.
        answered: whether squeue answered at all.
        accounting: state and nodes by sacct; None if it does not know the job.
        status: exit status that the job's script left; None if it left none.
        unnoticed: seconds for which squeue has called it running since the status was there.
        silent: seconds since somebody knew the job.
        patience: seconds of silence after which a job that SLURM does not list is gone, and one
            that should run and does not is named.
        still: seconds that it has been in its state by squeue.
        ran: whether squeue has ever called it running.
    """

    queue: tuple[str, str] | None
    answered: bool
    accounting: tuple[str, str] | None
    status: int | None
    unnoticed: float
    silent: float
    patience: float
    still: float = 0.0
    ran: bool = False


@dataclass(frozen=True)
class Verdict:
    """What has become of a job.

    Attributes:
        kind: what follows.
        state: SLURM's word.
        words: what there is to say of it, empty while it runs as it should.
    """

    kind: Kind
    state: str = ""
    words: str = ""


def verdict(found: Witnesses) -> Verdict:
    """Weigh what the witnesses say.

    squeue comes first: SLURM may start a job again whose script has ended. A state that says that
    the job was ended from outside is compared with what the script left, which may have finished.
    """
    if found.queue is not None:
        state, reason = found.queue
        if found.status is not None and found.unnoticed >= NOTICE:
            words = f"ended with exit status {found.status}, and SLURM still calls it {state}"
            kinds = {0: Kind.DONE, TOLD_TO_STOP: Kind.AGAIN}
            return Verdict(kinds.get(found.status, Kind.FAILED), state, words)
        if kind_of(state) is Kind.RUNNING:
            return Verdict(Kind.RUNNING, state, _waits(found, state, reason))
        if kind_of(state) is Kind.UNKNOWN:
            return Verdict(Kind.UNKNOWN, state, f"squeue calls its state {state!r}")
        # sacct adds who cancelled it, and where it ran.
        if found.accounting and kind_of(found.accounting[0]) is kind_of(state):
            return _ended(found, *found.accounting)
        return _ended(found, state, "", reason)
    if found.status == 0:
        return Verdict(Kind.DONE, "COMPLETED")
    if not found.answered:
        return Verdict(Kind.UNKNOWN, "", "squeue does not answer")
    if found.accounting and kind_of(found.accounting[0]) not in (Kind.RUNNING, Kind.UNKNOWN):
        return _ended(found, *found.accounting)
    if found.status is not None:
        return _ended(found, "FAILED")
    if found.silent < found.patience:
        return Verdict(Kind.UNKNOWN, "", "squeue does not list it")
    said = f"sacct says {found.accounting[0]}" if found.accounting else "sacct does not know it"
    return Verdict(
        Kind.AGAIN,
        "gone",
        f"is gone: squeue has not listed it for {found.silent / 60:.0f} minutes, {said}, "
        "and its script left no exit status",
    )


def _waits(found: Witnesses, state: str, reason: str) -> str:
    """What there is to say of a job that has not ended; empty while it runs or waits its turn."""
    if _HOPELESS.search(f"{reason} {state if '_HOLD' in state else ''}"):
        return f"{state} ({reason}): SLURM will not start it by itself"
    unusual = found.ran or state != "PENDING" or _UNUSUAL.search(reason)
    if state == "RUNNING" or not unusual or found.still < found.patience:
        return ""
    before = ", though it ran before" if found.ran else ""
    return (
        f"{state} ({reason}) for {found.patience / 60:.0f} minutes or more{before}; scontrol show "
        "job and sinfo --list-reasons say more"
    )


def _ended(found: Witnesses, state: str, nodes: str = "", reason: str = "") -> Verdict:
    """The verdict on a job that SLURM says has ended."""
    kind = Kind.DONE if found.status == 0 else kind_of(state)
    place = f" on {nodes}" if nodes and not nodes.startswith("None") else ""
    why = f" ({reason})" if reason not in ("", "None", state) else ""
    words = f"ended as {state}{place}{why}"
    if kind is Kind.FAILED and found.status == TOLD_TO_STOP:
        return Verdict(Kind.AGAIN, "stopped", f"{words}: it was told to stop (SIGTERM)")
    return Verdict(kind, state.split()[0], words)

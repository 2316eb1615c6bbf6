"""snakemake-executor-plugin-slurm 2.8 with its faults mended: between Snakemake and SLURM.

What is replaced, and until when (the plugin's version is pinned in constraints.txt):

- a job's state: sacct alone or squeue alone, ``CANCELLED by 0`` unknown, an absent job waited for
  without end (issues 109, 132, 473); here three sources are combined (states.py);
- submission errors of a group: its handler reads ``job.rule``, which a group lacks, and a thread
  swallows the error; ``GroupJob.log_error`` (Snakemake 9.27) drops the message; here sbatch's
  words are kept for the summary;
- one count for all that goes wrong; here refused submissions are waited out or final, jobs ended
  from outside continue, and only failures are Snakemake's retries;
- accounts guessed and validated before every submission, GPU types without dashes, GPUs over
  several nodes, one name for all jobs; a second Snakemake and an inner srun in each job, which
  fail where slurm.conf is elsewhere.

The settings (``--slurm-…``), the words of sbatch for resources, threads, and logs are the plugin's.
"""

from __future__ import annotations

import asyncio
import getpass
import shlex
import threading
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import snakemake_executor_plugin_slurm as plugin
from snakemake.iocontainers import ResourceList
from snakemake_executor_plugin_slurm.submit_string import get_submit_command
from snakemake_executor_plugin_slurm.validation import validate_slurm_extra
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from workflow.cluster.commands import Answer, ask, ask_accounting, ask_queue, fields
from workflow.cluster.script import batch_script, left_status, received_sigterm
from workflow.cluster.states import JobStatus, Outcome, Record, job_status
from workflow.machine import Machine

#: How much longer than the first pause between two polls of the jobs the longest is.
LONGEST_PAUSE = 4.5


class Executor(plugin.Executor):  # type: ignore[misc]
    """Submits, watches and cancels; :func:`install` puts it in the plugin's place."""

    machine: ClassVar[Machine]
    #: GPUs of cells that share a job and are used at once.
    slots: ClassVar[int]
    #: A job's name for squeue.
    name_of: ClassVar[Callable[[Any], str]]
    #: A number that grows whenever one of a job's cells saves something.
    last_saved: ClassVar[Callable[[Any], float]]
    #: Why jobs failed, by their first output: for the summary at the end.
    reasons: ClassVar[dict[str, str]] = {}

    _stopped = threading.Event()
    _records: ClassVar[dict[Any, Record]] = {}
    _last_warned: ClassVar[dict[str, float]] = {}

    # -- submission ---------------------------------------------------------------------

    def run_job(self, job: Any) -> None:
        """Submit a job; wait while SLURM is away or takes no more. Runs in the plugin's threads."""
        try:
            self._submit(job)
        except Exception as error:  # a thread has nobody else to tell
            self._fail(SubmittedJobInfo(job), f"was not submitted: {error}", final=True)

    def _submit(self, job: Any) -> None:
        record = self._records.setdefault(job, Record(type(self).name_of(job)))
        call = self.submission(job, record)
        self.slurm_logdir.mkdir(parents=True, exist_ok=True)
        script = batch_script(self.format_job_exec(job), self.slurm_logdir)
        record.saved = type(self).last_saved(job)
        in_doubt = alone = False
        while not self._stopped.is_set():
            answer = self._find_submitted(record) if in_doubt else None
            answer = answer or ask(*call, script=script)
            in_doubt = answer.unreachable
            if answer.status == 0:
                record.job_id = answer.lines[-1].split(";")[0].split()[-1]
                record.submitted = record.seen = record.since = time.monotonic()
                record.state, record.ran = "", False
                log = self.slurm_logdir / f"{record.job_id}.log"
                self.logger.info(f"{record.name}: submitted as SLURM job {record.job_id} ({log})")
                info = SubmittedJobInfo(job, record.job_id, {"slurm_logfile": log})
                self._report_job_submission_threadsafe(info)
                return
            if not self._worth_waiting(answer):
                if answer.job_limit and not alone:  # the user's last job may just have ended
                    alone = True
                    continue
                words = f"sbatch refused it: {answer.message}"
                self._fail(SubmittedJobInfo(job), words, final=True)
                return
            alone = False
            self._warn(f"submissions wait, because sbatch says: {answer.message}", 600)
            self._stopped.wait(self._first_pause())

    def _find_submitted(self, record: Record) -> Answer | None:
        """The ID of a job that SLURM has taken although sbatch heard no answer.

        None if it has not; what squeue says if it does not answer either. A second job would hold
        a GPU while it waits for the first one.
        """
        queue = ask("squeue", "--noheader", f"--user={getpass.getuser()}", "--format=%i|%k|%j")
        if queue.unreachable:
            return queue
        known = {one.job_id for one in list(self._records.values())}
        for job_id, run, name in fields(queue.lines, 3):
            if (run, name) == (self.run_uuid, record.name) and job_id not in known:
                return Answer(0, [job_id], "")
        return None

    def submission(self, job: Any, record: Record) -> list[str]:
        """The words of sbatch for a job.

        Raises:
            WorkflowError: by the plugin, if ``slurm_extra`` has an option that it may not have.
        """
        requested = dict(job.resources.items())
        # More time and memory only where those were what lacked.
        most = self.machine.job_minutes
        record.minutes = min(requested.get("runtime", most) * (1 + record.timeouts), most)
        requested["runtime"] = record.minutes
        if "mem_mb" in requested:
            requested["mem_mb"] *= 1 + record.out_of_memory
        account, partition = (requested.pop(f"slurm_{n}", "") for n in ("account", "partition"))
        of_plugin = SimpleNamespace(resources=ResourceList(fromdict=requested), threads=job.threads)
        validate_slurm_extra(of_plugin)
        words = get_submit_command(
            of_plugin,
            {
                "run_uuid": record.name,
                "slurm_logfile": self.slurm_logdir / "%j.log",
                "comment_str": self.run_uuid,
                "account": f"-A {shlex.quote(account)}" if account else "",
                "partition": f"-p {shlex.quote(partition)}" if partition else "",
                "workdir": self.workflow.workdir_init,
            },
            settings=self.workflow.executor_settings,
            failed_nodes=self._failed_nodes,
        )
        own = self.machine.request(requested.get("gpu", 0), record.minutes)
        return [*shlex.split(words), *own, "/dev/stdin"]

    def _worth_waiting(self, answer: Answer) -> bool:
        """Whether a refused submission may be taken later: a limit counts jobs that will end."""
        if answer.unreachable or not answer.job_limit:
            return answer.unreachable
        queue = ask("squeue", "--noheader", f"--user={getpass.getuser()}", "--format=%i")
        return queue.status != 0 or bool(queue.lines) or answer.shared

    # -- what a job consists of ---------------------------------------------------------

    def additional_general_args(self) -> str:
        """Run the cells in the job's own Snakemake; the plugin starts a second one by srun."""
        return ""

    def get_job_args(self, job: Any, **words: Any) -> str:
        """Tell the job's Snakemake how many of its cells run side by side (slurm/config.yaml)."""
        return f"{RemoteExecutor.get_job_args(self, job, **words)} --resources slot={self.slots}"

    # -- watching -----------------------------------------------------------------------

    async def check_active_jobs(
        self, active_jobs: Sequence[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        """Report jobs that have ended; yield those that have not."""
        if not active_jobs:
            self.next_seconds_between_status_checks = self._first_pause()
            return
        found = await asyncio.to_thread(self.statuses, [info.job for info in active_jobs])
        ended = False
        for info, what in zip(active_jobs, found, strict=True):
            if what.outcome in (Outcome.RUNNING, Outcome.UNKNOWN):
                yield info
            else:
                ended = True
                self._finish(info, what)
        pause, first = 1.5 * self.next_seconds_between_status_checks, self._first_pause()
        longer = min(pause, LONGEST_PAUSE * first)
        self.next_seconds_between_status_checks = first if ended else longer

    def statuses(self, jobs: Sequence[Any]) -> list[JobStatus]:
        """What has become of each job; names those that nobody knows and that do not start."""
        records = [self._records[job] for job in jobs]
        queue, queue_error = ask_queue()
        unsure = [r.job_id for r in records if not _runs(queue.get(r.job_id))]
        accounts, accounts_error = ask_accounting(unsure)
        now, grace_seconds = time.monotonic(), 60.0 * self.machine.grace_minutes
        found = []
        for record in records:
            seen, status = queue.get(record.job_id), left_status(self.slurm_logdir, record.job_id)
            record.update(seen, status, now)
            found.append(
                job_status(
                    record, seen, accounts.get(record.job_id), status, now=now,
                    grace_seconds=grace_seconds, answered=not queue_error,
                )
            )  # fmt: skip
        pairs = list(zip(records, found, strict=True))
        silent = [
            self._label(r)
            for r, v in pairs
            if v.outcome is Outcome.UNKNOWN and now - r.seen >= grace_seconds
        ]
        if silent:
            self._warn(
                f"state unknown for {self.machine.grace_minutes} minutes: {_listed(silent)}; tried "
                f"squeue ({queue_error or 'does not list them'}), sacct "
                f"({accounts_error or 'reports no end'}) and the exit status in "
                f"{self.slurm_logdir}; Snakemake keeps polling",
                grace_seconds,
            )
        waiting = {v.message for v in found if v.outcome is Outcome.RUNNING and v.message}
        for message in sorted(waiting):
            names = [self._label(r) for r, v in pairs if v.message == message]
            self._warn(f"{_listed(names)}: {message}", grace_seconds)
        return found

    # -- the end of a job ---------------------------------------------------------------

    def _finish(self, info: SubmittedJobInfo, what: JobStatus) -> None:
        """Report a job that has ended, or let it continue."""
        record = self._records[info.job]
        if what.state == "RUNNING":  # gives its GPU back
            self.logger.warning(f"{self._label(record)} {what.message}; cancelling it")
            ask("scancel", record.job_id)
        match what.outcome:
            case Outcome.DONE:
                if not self.workflow.executor_settings.keep_successful_logs:
                    for suffix in ("log", "status", "status.signalled"):
                        (self.slurm_logdir / f"{record.job_id}.{suffix}").unlink(missing_ok=True)
                self.report_job_success(info)
            case Outcome.RESUBMIT:
                self._resubmit(info, record, what)
            case Outcome.CANCELLED:
                words = f"{what.message}; it is not submitted again, because somebody cancelled it"
                self._fail(info, words, final=True)
            case Outcome.FAILED:
                record.out_of_memory += what.state == "OUT_OF_MEMORY"
                self._fail(info, what.message, final=False)
            case _:
                raise ValueError(f"{record.name} has not ended")

    def _resubmit(self, info: SubmittedJobInfo, record: Record, what: JobStatus) -> None:
        """Continue a job that was ended from outside, if it has got further."""
        record.spent += min((time.monotonic() - record.submitted) / 60, record.minutes)
        if what.state == "TIMEOUT" and not received_sigterm(self.slurm_logdir, record.job_id):
            self._warn(
                "a job reached its time limit without the signal that it asked for (--signal): "
                "cells lose their work since the last checkpoint",
                60.0 * self.machine.grace_minutes,
            )
        if type(self).last_saved(info.job) <= record.saved:
            record.timeouts += what.state in ("TIMEOUT", "stopped")
            self._fail(info, f"{what.message}, and nothing was saved in it", final=False)
        elif record.spent >= self.machine.cell_minutes:
            words = (
                f"{what.message}; its jobs had {record.spent:.0f} minutes in all, and machine.yaml "
                f"allows {self.machine.cell_minutes} (cell_minutes)"
            )
            self._fail(info, words, final=True)
        else:
            self.logger.info(
                f"{self._label(record)} {what.message}; it continues from what it saved"
            )
            self._job_submission_executor.submit(self.run_job, info.job)

    def _fail(self, info: SubmittedJobInfo, words: str, *, final: bool) -> None:
        """Report a failure; a final one is not tried again."""
        job, record = info.job, self._records.get(info.job)
        sentence = f"{self._label(record) if record else job.name} {words}"
        if info.aux:
            sentence += f" (SLURM's log: {info.aux['slurm_logfile']})"
        self.logger.error(sentence)
        for output in _outputs(job):
            self.reasons[output] = sentence
        if final:
            job.attempt = job.restart_times + 1
        self._report_job_error_threadsafe(info, words)

    @staticmethod
    def _label(record: Record) -> str:
        return f"{record.name} (SLURM job {record.job_id})" if record.job_id else record.name

    # -- stopping -----------------------------------------------------------------------

    def cancel(self) -> None:
        """Submit nothing more, and cancel what was submitted."""
        self._stopped.set()
        super().cancel()

    def cancel_jobs(self, active_jobs: Sequence[SubmittedJobInfo]) -> None:
        """Cancel all jobs of this run; ``active_jobs`` lacks those just being asked about."""
        job_ids = [r.job_id for r in self._records.values() if r.job_id]
        for start in range(0, len(job_ids), 500):
            answer = ask("scancel", *job_ids[start : start + 500])
            if answer.status:
                self.logger.warning(f"scancel says: {answer.message}")

    def shutdown(self) -> None:
        """End the threads."""
        self._stopped.set()
        super().shutdown()

    # -- small --------------------------------------------------------------------------

    def _first_pause(self) -> float:
        return float(self.workflow.executor_settings.init_seconds_before_status_checks)

    def _warn(self, message: str, again_after: float) -> None:
        """Log a warning, and the same not again for so many seconds."""
        last = self._last_warned.get(message)
        if last is None or time.monotonic() - last >= again_after:
            self._last_warned[message] = time.monotonic()
            self.logger.warning(message)


def _runs(seen: tuple[str, str] | None) -> bool:
    return seen is not None and seen[0] in ("RUNNING", "PENDING", "CONFIGURING")


def _outputs(job: Any) -> list[str]:
    jobs = job.jobs if job.is_group() else [job]
    return [str(one.output[0]) for one in jobs if one.output]


def _listed(names: Sequence[str], most: int = 5) -> str:
    """Names for a sentence, the first few of them."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def install(
    machine: Machine,
    slots: int,
    name_of: Callable[[Any], str],
    last_saved: Callable[[Any], float],
) -> None:
    """Let ``--executor slurm`` mean this executor."""
    from snakemake_interface_executor_plugins.registry import ExecutorPluginRegistry

    Executor.machine, Executor.slots = machine, slots
    Executor.name_of, Executor.last_saved = staticmethod(name_of), staticmethod(last_saved)
    ExecutorPluginRegistry().plugins["slurm"].executor = Executor

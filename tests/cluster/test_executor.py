"""What the executor asks of SLURM and what it makes of the answers: with pretended commands."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo

from tests.conftest import ROOT
from workflow.cluster.commands import Answer
from workflow.cluster.executor import Executor
from workflow.cluster.states import NOTICE, Record
from workflow.machine import Machine, read_machine

MACHINE = read_machine(ROOT / "slurm" / "machine.yaml")
NAME = "search rst 0.2 cifar10 resnet18 s0"
OUTPUT = "results/cells/a/ticket.pt"


@dataclass(eq=False)
class Group:
    """A group job of one cell, which has no ``rule``, as Snakemake's."""

    resources: dict[str, Any] = field(
        default_factory=lambda: {"runtime": 60, "mem_mb": 1000, "gpu": 1, "cpus_per_task": 4}
    )
    threads: int = 1
    attempt: int = 1
    restart_times: int = 5
    name: str = "group"

    @property
    def jobs(self) -> list[Any]:
        return [SimpleNamespace(output=[OUTPUT])]

    def is_group(self) -> bool:
        return True


class Pretended:
    """An executor whose commands are a table of answers, and what it reported.

    Attributes:
        answers: for a command's name, its next answers; the last is given again and again.
        calls: everything that was called.
        reported: how jobs ended, as Snakemake learns it.
        saved: how far the job's cells are.
    """

    def __init__(self, folder: Path, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.calls: list[list[str]] = []
        self.reported: list[str] = []
        self.saved = 0.0
        made = self.executor = Executor.__new__(Executor)
        settings = SimpleNamespace(
            init_seconds_before_status_checks=0, keep_successful_logs=False, requeue=True,
            no_requeue=False, qos=None, reservation=None,
        )  # fmt: skip
        made.workflow = SimpleNamespace(executor_settings=settings, workdir_init=str(folder))
        made.logger = logging.getLogger("pretended")
        made.slurm_logdir, made.run_uuid, made._failed_nodes = folder, "rst_run", set()
        made._job_submission_executor = SimpleNamespace(submit=lambda run, job: run(job))
        made._next_seconds_between_status_checks = 0
        changes = {
            "machine": machine, "name_of": staticmethod(lambda job: NAME), "reasons": {},
            "last_saved": staticmethod(lambda job: self.saved), "_records": {}, "_last_warned": {},
            "_stopped": threading.Event(),
            "format_job_exec": lambda _, job: "true",
            "_report_job_submission_threadsafe": lambda _, i: self.reported.append("submitted"),
            "_report_job_error_threadsafe": lambda _, i, words: self.reported.append("error"),
            "report_job_success": lambda _, i: self.reported.append("success"),
        }  # fmt: skip
        for name, value in changes.items():
            monkeypatch.setattr(Executor, name, value, raising=False)
        for module in ("executor", "commands"):
            monkeypatch.setattr(f"workflow.cluster.{module}.ask", self.ask)

    def ask(self, *command: str, script: str = "") -> Answer:
        self.calls.append(list(command))
        answers = self.answers.get(command[0], [Answer(0, [], "")])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def submissions(self) -> list[list[str]]:
        return [call for call in self.calls if call[0] == "sbatch"]

    def submit(self, job: Group) -> SubmittedJobInfo:
        self.answers.setdefault("sbatch", [Answer(0, ["17"], "")])
        self.executor.run_job(job)
        return SubmittedJobInfo(job, "17", {"slurm_logfile": self.executor.slurm_logdir / "17.log"})

    def look(self, *infos: SubmittedJobInfo) -> list[SubmittedJobInfo]:
        async def active() -> list[SubmittedJobInfo]:
            return [info async for info in self.executor.check_active_jobs(infos)]

        return asyncio.run(active())


@pytest.fixture
def pretended(tmp_path, monkeypatch) -> Pretended:
    return Pretended(tmp_path, MACHINE, monkeypatch)


def squeue(state: str, reason: str = "None") -> list[Answer]:
    return [Answer(0, [f"17|{state}|{reason}"], "")]


NO_ACCOUNTING = [Answer(1, [], "Slurm accounting storage is disabled")]


def test_a_submission_is_one_call_with_the_cells_name_and_everything_of_the_site(
    tmp_path, monkeypatch
):
    change = {"gpu_type": "rtx-a6000", "options": ["--mail-type=FAIL"]}
    pretended = Pretended(tmp_path, MACHINE.model_copy(update=change), monkeypatch)
    site = {"slurm_account": "rst", "slurm_partition": "gpu,urgent", "qos": "long",
            "constraint": "a|b"}  # fmt: skip
    job = Group()
    job.resources |= site
    pretended.submit(job)
    (call,) = pretended.calls
    text = " ".join(call)
    for words in ("-A rst", "-p gpu,urgent", "--qos=long", "-C a|b", "-t 60", "--mem 1000",
                  "--nodes=1", "--gpus=rtx-a6000:1", "--signal=B:TERM@180", "--requeue",
                  "--comment rst_run", "--mail-type=FAIL"):  # fmt: skip
        assert words in text
    assert call[call.index("--job-name") + 1] == NAME
    assert pretended.reported == ["submitted"]


def test_a_refusal_is_final_and_sbatchs_words_are_kept(pretended):
    pretended.answers["sbatch"] = [Answer(1, [], "sbatch: error: invalid partition specified: x")]
    job = Group()
    pretended.submit(job)
    assert pretended.reported == ["error"]
    assert job.attempt > job.restart_times
    assert Executor.reasons[OUTPUT] == f"{NAME} sbatch refused it: invalid partition specified: x"
    assert len(pretended.submissions()) == 1


def test_an_error_of_the_plugin_in_a_thread_is_a_sentence(pretended):
    job = Group()
    job.resources["slurm_extra"] = "--time=5"
    with ThreadPoolExecutor() as threads:
        threads.submit(pretended.executor.run_job, job).result()
    assert pretended.reported == ["error"]
    assert "is not allowed in the 'slurm_extra' parameter" in Executor.reasons[OUTPUT]


@pytest.mark.parametrize(
    "error", ["sbatch: error: QOSMaxSubmitJobPerUserLimit", "Unable to contact slurm controller"]
)
def test_submissions_wait_for_limits_and_daemons(pretended, caplog, error):
    refused = Answer(1, [], error)
    pretended.answers = {
        "sbatch": [refused, refused, Answer(0, ["17"], "")],
        "squeue": [Answer(0, ["16"], "")],
    }
    pretended.submit(Group())
    assert pretended.reported == ["submitted"]
    assert len(pretended.submissions()) == 3
    assert len([r for r in caplog.records if "submissions wait" in r.message]) == 1


@pytest.mark.parametrize("error", ["AssocGrpSubmitJobsLimit", "MaxSubmitJobsPerAccount"])
def test_a_limit_that_others_jobs_use_up_is_waited_for(pretended, error):
    pretended.answers["sbatch"] = [Answer(1, [], f"sbatch: error: {error}"), Answer(0, ["17"], "")]
    pretended.submit(Group())
    assert pretended.reported == ["submitted"]


def test_a_submission_that_slurm_took_without_an_answer_is_not_repeated(pretended):
    pretended.answers = {
        "sbatch": [Answer(1, [], "Socket timed out on send/recv operation"), Answer(0, ["18"], "")],
        "squeue": [
            Answer(1, [], "Unable to contact slurm controller"),
            Answer(0, [f"{n}|{run}|{name}" for n, run, name in (
                (14, "rst_run", NAME), (15, "rst_other", NAME), (16, "rst_run", "another"),
                (17, "rst_run", NAME))], ""),
        ],
    }  # fmt: skip
    # Another selection's job, whose name is the same.
    Executor._records["another job"] = Record(NAME, "14")
    pretended.submit(Group())
    assert pretended.reported == ["submitted"]
    assert len(pretended.submissions()) == 1
    assert [record.job_id for record in Executor._records.values()] == ["14", "17"]


def test_a_limit_that_no_job_of_this_user_uses_up_is_a_refusal(pretended):
    pretended.answers["sbatch"] = [Answer(1, [], "sbatch: error: QOSMaxSubmitJobPerUserLimit")]
    pretended.submit(Group())
    assert pretended.reported == ["error"]
    assert len(pretended.submissions()) == 2


def test_a_limit_that_the_last_job_used_up_before_it_ended_is_none(pretended):
    refused = Answer(1, [], "sbatch: error: QOSMaxSubmitJobPerUserLimit")
    pretended.answers["sbatch"] = [refused, Answer(0, ["17"], "")]
    pretended.submit(Group())
    assert pretended.reported == ["submitted"]


def test_without_accounting_the_jobs_script_says_how_it_ended(pretended, tmp_path):
    pretended.answers["sacct"] = NO_ACCOUNTING
    info = pretended.submit(Group())
    (tmp_path / "17.status").write_text("0\n")
    assert pretended.look(info) == []
    assert pretended.reported == ["submitted", "success"]
    assert not (tmp_path / "17.status").exists()


def test_a_job_whose_end_slurm_loses_is_done_and_gives_its_gpu_back(
    pretended, tmp_path, monkeypatch, caplog
):
    info = pretended.submit(Group())
    pretended.answers["squeue"] = squeue("RUNNING")
    (tmp_path / "17.status").write_text("0\n")
    assert pretended.look(info) == [info]
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now + NOTICE)
    assert pretended.look(info) == []
    assert pretended.reported == ["submitted", "success"]
    assert ["scancel", "17"] in pretended.calls
    assert "ended with exit status 0, and SLURM still calls it RUNNING" in caplog.text


@pytest.mark.parametrize("state", ["TIMEOUT", "PREEMPTED", "NODE_FAIL"])
def test_a_job_that_was_ended_from_outside_continues_as_often_as_it_gets_further(pretended, state):
    job = Group()
    info = pretended.submit(job)
    pretended.answers["squeue"] = squeue(state)
    for _ in range(20):
        pretended.saved += 1
        assert pretended.look(info) == []
    assert pretended.reported == ["submitted"] * 21
    assert (job.attempt, len({" ".join(call) for call in pretended.submissions()})) == (1, 1)


def test_time_and_memory_grow_only_where_they_lacked(pretended, tmp_path):
    job = Group()
    info = pretended.submit(job)
    for state in ("TIMEOUT", "FAILED", "OUT_OF_MEMORY"):
        pretended.answers["squeue"] = squeue(state)
        pretended.look(info)
        pretended.submit(job)
    # Told to stop ahead of the limit, and nothing saved: time lacked, too.
    pretended.answers["squeue"] = squeue("FAILED")
    (tmp_path / "17.status").write_text("75\n")
    pretended.look(info)
    pretended.submit(job)
    asked = [(call[call.index("-t") + 1], call[call.index("--mem") + 1])
             for call in pretended.submissions()]  # fmt: skip
    assert asked == [
        ("60", "1000"), ("120", "1000"), ("120", "1000"), ("120", "2000"), ("180", "2000")
    ]  # fmt: skip
    assert pretended.reported == ["submitted", *["error", "submitted"] * 4]


def test_a_cell_has_a_total_that_ends_even_progress(tmp_path, monkeypatch):
    pretended = Pretended(tmp_path, MACHINE.model_copy(update={"cell_minutes": 0}), monkeypatch)
    job = Group()
    info = pretended.submit(job)
    pretended.answers["squeue"], pretended.saved = squeue("TIMEOUT"), 1.0
    pretended.look(info)
    assert pretended.reported == ["submitted", "error"]
    assert "machine.yaml allows 0 (cell_minutes)" in Executor.reasons[OUTPUT]
    assert job.attempt > job.restart_times


def test_jobs_of_which_nobody_knows_are_named_with_what_was_tried(tmp_path, monkeypatch, caplog):
    pretended = Pretended(tmp_path, MACHINE.model_copy(update={"grace_minutes": 0}), monkeypatch)
    pretended.answers |= {
        "sacct": NO_ACCOUNTING,
        "squeue": [Answer(1, [], "slurm_load_jobs error: Unable to contact slurm controller")],
    }
    info = pretended.submit(Group())
    assert pretended.look(info) == [info]
    (warning,) = [r.message for r in caplog.records if "state unknown" in r.message]
    assert f"{NAME} (SLURM job 17)" in warning
    assert "Unable to contact slurm controller" in warning
    assert "Slurm accounting storage is disabled" in warning
    # Once squeue answers and does not list it, it is gone: here without progress, so it failed.
    pretended.answers["squeue"] = [Answer(0, [], "")]
    assert pretended.look(info) == []
    assert pretended.reported == ["submitted", "error"]
    assert "its script left no exit status" in Executor.reasons[OUTPUT]


def test_a_job_that_ran_and_is_pending_again_is_named_with_the_reason(
    tmp_path, monkeypatch, caplog
):
    pretended = Pretended(tmp_path, MACHINE.model_copy(update={"grace_minutes": 0}), monkeypatch)
    info = pretended.submit(Group())
    for state, reason in (("PENDING", "Resources"), ("RUNNING", "None")):
        pretended.answers["squeue"] = squeue(state, reason)
        assert pretended.look(info) == [info]
    assert not [r for r in caplog.records if r.levelname == "WARNING"]
    pretended.answers["squeue"] = squeue("PENDING", "Resources")
    assert pretended.look(info) == [info]
    (warning,) = [r.message for r in caplog.records if r.levelname == "WARNING"]
    assert f"{NAME} (SLURM job 17): PENDING (Resources) for 0 minutes or more" in warning
    assert "though it ran before" in warning


def test_a_stopped_executor_submits_nothing_and_cancels_all_it_has(pretended, monkeypatch):
    info = pretended.submit(Group())
    monkeypatch.setattr("snakemake_executor_plugin_slurm.Executor.shutdown", lambda _: None)
    monkeypatch.setattr("snakemake_executor_plugin_slurm.Executor.cancel",
                        lambda self: self.cancel_jobs([]))  # fmt: skip
    pretended.executor.cancel()
    assert pretended.calls[-1] == ["scancel", "17"]
    pretended.submit(Group())
    assert len(pretended.submissions()) == 1
    assert info.external_jobid == "17"


@pytest.mark.parametrize("told", [True, False])
def test_a_site_whose_signal_does_not_arrive_is_said(pretended, tmp_path, caplog, told):
    info = pretended.submit(Group())
    pretended.answers["squeue"] = squeue("TIMEOUT")
    if told:
        (tmp_path / "17.status.signalled").touch()
    pretended.look(info)
    assert ("without the signal that it asked for" in caplog.text) != told

"""No two jobs at once on one pretended GPU, however they end."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

SLOTS = [sys.executable, str(ROOT / "workflow" / "gpu_slots.py")]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"TMPDIR": str(folder)}


def holder(folder: Path, devices: str, count: int = 1) -> subprocess.Popen:
    """A job that says which devices it sees and then waits for the end of its input."""
    job = "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], flush=True); sys.stdin.read()"
    return subprocess.Popen(
        [*SLOTS, str(count), devices, sys.executable, "-c", job],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(folder),
    )  # fmt: skip


def seen(job: subprocess.Popen) -> str:
    return job.stdout.readline().strip()


def test_jobs_at_once_see_different_devices_and_a_further_one_waits(tmp_path):
    jobs = {seen(job): job for job in (holder(tmp_path, "3,5"), holder(tmp_path, "3,5"))}
    assert jobs.keys() == {"3", "5"}
    third = holder(tmp_path, "3,5")
    # The device of the job that ends, not the first of the list, which is still held.
    jobs["5"].kill()
    jobs["5"].communicate()
    assert seen(third) == "5"
    jobs["3"].communicate("")
    third.communicate("")


def test_a_job_of_two_gpus_gets_two_or_waits(tmp_path):
    both = holder(tmp_path, "0,1", count=2)
    assert seen(both) == "0,1"
    one = holder(tmp_path, "0,1")
    both.communicate("")
    assert seen(one) in {"0", "1"}
    one.communicate("")


def test_more_gpus_than_there_are_is_one_sentence(tmp_path):
    done = subprocess.run(
        [*SLOTS, "2", "0", "true"], capture_output=True, text=True, env=environment(tmp_path)
    )
    assert done.returncode == 1
    assert "asks for 2 GPUs, but this machine has 1 (0)" in done.stderr


def test_the_commands_status_is_the_jobs(tmp_path):
    command = [*SLOTS, "1", "0", sys.executable, "-c", "raise SystemExit(75)"]
    assert subprocess.run(command, env=environment(tmp_path)).returncode == 75


def test_jobs_of_slurm_that_call_their_gpus_the_same_do_not_wait_for_each_other(
    tmp_path, monkeypatch
):
    jobs = []
    for number in ("7", "8"):
        monkeypatch.setenv("SLURM_JOB_ID", number)
        jobs.append(holder(tmp_path, "0"))
    assert [seen(job) for job in jobs] == ["0", "0"]
    for job in jobs:
        job.communicate("")

"""The script of a job, run by a shell."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

from workflow.cluster.script import batch_script, left_status


def run_script(folder: Path, command: str, *, tell: bool) -> tuple[int, int | None]:
    """The exit status of a job's script, and what it left."""
    script = batch_script(f"bash -c {shlex.quote(command)}", folder)
    environment = {"SLURM_JOB_ID": "17", "PATH": os.environ["PATH"]}
    with subprocess.Popen(
        ["bash", "-c", script], env=environment, start_new_session=True, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        if tell:
            process.terminate()  # the script alone, as --signal=B: does
        return process.wait(), left_status(folder, "17")


def test_a_jobs_script_leaves_its_status_and_passes_the_signal_on(tmp_path):
    assert run_script(tmp_path, "echo ready; exit 0", tell=False) == (0, 0)
    assert run_script(tmp_path, "echo ready; exit 3", tell=False) == (3, 3)
    waits = "trap 'exit 1' TERM; echo ready; tail -f /dev/null & wait"
    assert run_script(tmp_path, waits, tell=True) == (75, 75)
    finishes = "trap 'exit 0' TERM; echo ready; tail -f /dev/null & wait"
    assert run_script(tmp_path, finishes, tell=True) == (0, 0)

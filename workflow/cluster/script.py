"""The script of a SLURM job, and the exit status that it leaves."""

from __future__ import annotations

import shlex
from pathlib import Path

from rst_core.job.preemption import PREEMPTED

# SLURM sends SIGTERM to this shell ahead of the time limit (--signal=B:TERM@…), and to all
# processes of the job when it is cancelled or preempted. The shell passes it on to its process
# group: the job's Snakemake ends after what runs, the cell saves and leaves. A job that SLURM
# starts again has an old status to forget. The status is written whole or not at all.
_SCRIPT = """\
#!/bin/bash
status={folder}/$SLURM_JOB_ID.status
rm -f "$status" "$status.signalled"
trap 'received=yes; : > "$status.signalled"; trap "" TERM; kill -TERM 0' TERM
{command} &
wait $!; code=$?
if [ -n "$received" ]; then
    wait $!; second=$?  # the first was interrupted; 127 if it was not
    [ $second = 127 ] || code=$second
    [ $code = 0 ] || code={preempted}
fi
echo $code > "$status.part" && mv "$status.part" "$status"
exit $code
"""


def batch_script(command: str, folder: Path) -> str:
    """A job that runs a command and leaves its exit status in a folder.

    Args:
        command: of a shell.
        folder: absolute; exists on the nodes too.
    """
    return _SCRIPT.format(command=command, folder=shlex.quote(str(folder)), preempted=PREEMPTED)


def received_sigterm(folder: Path, job_id: str) -> bool:
    """Whether SIGTERM reached the job's script."""
    return (folder / f"{job_id}.status.signalled").exists()


def left_status(folder: Path, job_id: str) -> int | None:
    """The exit status that a job's script left; None if it left none."""
    try:
        return int((folder / f"{job_id}.status").read_text())
    except (OSError, ValueError):
        return None

"""SLURM's commands: one call each, with a time limit, and what their errors mean."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass

#: Seconds that a command may take, unless it is given fewer.
TIMEOUT = 60.0
#: What commands print that reached no daemon, or one that is busy: nothing was done.
_AWAY = (
    "Unable to contact slurm controller",
    "Unable to contact slurm database",
    "Connection refused",
    "Connection timed out",
    "Socket timed out",
    "failed to send persistent connection init message",
    "slurm_persist_conn_open",
    "Resource temporarily unavailable",
    "temporarily unable to accept job",
)
#: Limits on how many jobs may be submitted: MaxSubmitJobs and GrpSubmitJobs of associations and
#: QOS, as SLURM says since 20.11.
_FULL = re.compile("(Max|Grp)SubmitJob")


@dataclass(frozen=True)
class Answer:
    """What a command printed.

    Attributes:
        status: its exit status, 124 if it took too long, 127 if there is no such command.
        lines: lines of its output that are not empty, stripped.
        error: its error output.
    """

    status: int
    lines: list[str]
    error: str

    @property
    def unreachable(self) -> bool:
        """Whether the command reached no daemon, so that asking again later makes sense."""
        return self.status == 124 or (
            self.status != 0 and any(words in self.error for words in _AWAY)
        )

    @property
    def job_limit(self) -> bool:
        """Whether a limit on the number of jobs refused a submission."""
        return self.status != 0 and bool(_FULL.search(self.error))

    @property
    def problem(self) -> str:
        """What went wrong, in one line without the command's name; empty if nothing did."""
        if not self.status:
            return ""
        lines = (line.strip() for line in self.error.splitlines())
        said = "; ".join(re.sub(r"^\w+: (error: )?", "", line) for line in lines if line)
        return said or f"exit status {self.status}"


def ask(*command: str, script: str = "", timeout: float | None = None) -> Answer:
    """Run a command with a script as its input; never raises for what the command does."""
    timeout = TIMEOUT if timeout is None else timeout
    try:
        done = subprocess.run(
            command, input=script, capture_output=True, text=True, errors="replace",
            timeout=timeout, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Answer(124, [], f"{command[0]} did not answer within {timeout:g} s")
    except OSError as error:
        return Answer(127, [], f"{command[0]}: {error.strerror}")
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    return Answer(done.returncode, lines, done.stderr)


def fields(lines: Sequence[str], count: int) -> list[list[str]]:
    """The fields of lines that are separated by bars, empty ones where a line has fewer."""
    return [(line.split("|") + [""] * count)[:count] for line in lines]


def ask_queue() -> tuple[dict[str, tuple[str, str]], str]:
    """State and reason of all jobs of this user, by job ID; an error if squeue does not answer.

    ``--states=all`` lists ended jobs, too, until the controller forgets them (MinJobAge).
    """
    answer = ask("squeue", "--noheader", "--states=all", "--me", "--format=%i|%T|%r")
    rows = [] if answer.status else fields(answer.lines, 3)
    return {job_id: (state, reason) for job_id, state, reason in rows}, answer.problem


def ask_accounting(job_ids: Collection[str]) -> tuple[dict[str, tuple[str, str]], str]:
    """State and nodes of jobs, by job ID, as accounting has them; an error if it has none."""
    if not job_ids:
        return {}, ""
    what = ("--format=JobIDRaw,State,NodeList", f"--jobs={','.join(job_ids)}")
    answer = ask("sacct", "-X", "--parsable2", "--noheader", *what)
    rows = [] if answer.status else fields(answer.lines, 3)
    return {job_id: (state, nodes) for job_id, state, nodes in rows}, answer.problem

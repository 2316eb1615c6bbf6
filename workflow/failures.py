"""What a workflow says at its end about the jobs that failed: pure text from paths and logs."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Records of the last run's failures, for 'rst status': a file a cell, of a hole's format.
FAILED = Path("results/failed")

#: Lines of a log that are shown.
LINES = 5


@dataclass(frozen=True)
class Failure:
    """A job that failed after all its retries.

    Attributes:
        rule: its rule.
        outputs: its files.
        logs: its log files.
    """

    rule: str
    outputs: list[str]
    logs: list[str]


def summary(
    failures: Sequence[Failure],
    lacking: Sequence[str],
    argv: Sequence[str],
    holed: Sequence[str] = (),
) -> str:
    """Every failed job with the end of its log and how to retry it, and what lacks it.

    Args:
        failures: jobs that failed.
        lacking: artifacts that were not made.
        argv: the command line of this run.
        holed: artifacts that were made without cells that failed, and say so.
    """
    parts = []
    for failure in sorted(failures, key=lambda f: f.outputs):
        parts.append(
            f"failed: {failure.outputs[0] if failure.outputs else failure.rule}\n"
            + "".join(_end_of(log) for log in failure.logs)
            + f"  retry: {retry(argv, failure.outputs[:1])}"
        )
    if lacking:
        names = "\n".join(f"  {name}" for name in sorted(lacking))
        parts.append(f"not made, because something that they need is missing:\n{names}")
    if holed:
        names = "\n".join(f"  {name}" for name in sorted(holed))
        parts.append(f"made with gaps, which they show:\n{names}")
    count = f"{len(failures)} job{'s' if len(failures) != 1 else ''} failed"
    return "\n\n".join([f"{count}; all others that could run have run or were stopped.", *parts])


def record(failures: Sequence[Failure], folder: Path = FAILED) -> None:
    """Write down what failed, and forget what failed in runs before."""
    shutil.rmtree(folder, ignore_errors=True)
    for failure in failures:
        if not failure.outputs:
            continue
        path = folder / f"{failure.outputs[0]}.json"
        lines = [line for log in failure.logs for line in _lines(log)]
        contents = {
            "failed": lines[-1].strip() if lines else "it wrote no log",
            "log": next(iter(failure.logs), ""),
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(contents) + "\n", encoding="utf-8")
        except OSError:
            return  # a full disk: the summary says so


def _lines(log: str) -> list[str]:
    """Lines of a log that say something; none if it cannot be read."""
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _end_of(log: str) -> str:
    if not Path(log).is_file():
        return f"  {log}: no log; the job never started, or was killed before it wrote\n"
    lines = _lines(log)
    if not lines:
        return f"  {log}: empty; the job was killed before it wrote\n"
    return f"  {log} ends with:\n" + "".join(f"    {line}\n" for line in lines[-LINES:])


def retry(argv: Sequence[str], targets: Sequence[str]) -> str:
    """The command line of a run with other targets, which stand first.

    Snakemake's own parser says which words of ``argv`` are targets.
    """
    from snakemake.cli import get_argument_parser

    options = list(argv[1:])
    for target in get_argument_parser().parse_known_args(options)[0].targets or ():
        if target in options:
            options.remove(target)
    return shlex.join(["snakemake", *targets, *options])

"""Cells that failed: what is written of them, and what a run says of them at its end.

A record of every failure is kept beside the cells, for 'rst status'. Cells that share a job must
not take each other down, and Snakemake deletes the outputs of all if one of them fails: an
evaluation that fails by itself in a shared job leaves its record in place of its file, with which
the job goes on. Artifacts show such a cell as missing, and the next run makes it again.

As a program: ``python failures.py STATUS CELL LOG``, STATUS being that of the failed command.
"""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Folder of the records, below that of the results: a file for each that is missing.
FOLDER = "failed"
#: The key by which a record is known, also in place of a cell.
KEY = "failed"
#: Exit status of a command that failed by itself, and would fail again.
BY_ITSELF = 1
#: Lines of a log that are shown.
LINES = 5


@dataclass(frozen=True)
class Failure:
    """A job that failed after all its retries; ``reason`` is what the scheduler said of it."""

    rule: str
    outputs: list[str]
    logs: list[str]
    reason: str = ""


def summary(
    failures: Sequence[Failure],
    lacking: Sequence[str],
    argv: Sequence[str],
    incomplete: Sequence[str] = (),
) -> str:
    """Every failed job with the end of its log and how to retry it, and what lacks it.

    ``incomplete`` are artifacts that were made without cells that failed, and say so.
    """
    parts = [
        f"failed: {failure.outputs[0] if failure.outputs else failure.rule}\n"
        + (f"  {failure.reason}\n" if failure.reason else "")
        + "".join(_end_of(log) for log in failure.logs if not failure.reason or _lines(log))
        + f"  retry: {retry(argv, failure.outputs[:1])}"
        for failure in sorted(failures, key=lambda f: f.outputs)
    ]
    for heading, names in (
        ("not made, because an input is missing", lacking),
        ("made without failed cells, and marked so", incomplete),
    ):
        if names:
            parts.append("\n  ".join([f"{heading}:", *sorted(names)]))
    count = f"{len(failures)} job{'s' if len(failures) != 1 else ''} failed"
    return "\n\n".join([f"{count}; all other jobs that could run have ended.", *parts])


def record(failures: Sequence[Failure], results: str = "results") -> None:
    """Write down what failed, and forget what failed in runs before."""
    forget(results)
    try:
        for failure in failures:
            if failure.outputs:
                log = next(iter(failure.logs), "")
                lines = [line for one in failure.logs for line in _lines(one)]
                reason = lines[-1].strip() if lines else failure.reason or "it wrote no log"
                file = Path(failure.outputs[0])
                _write(record_of(file, results), file, reason, log)
    except OSError:
        pass  # a full disk: the summary says so


def forget(results: str = "results") -> None:
    """Remove all records, but for those that stand in place of a cell's file."""
    kept = {record_of(cell, results) for cell in in_place(results=results)}
    if not kept:
        shutil.rmtree(Path(results, FOLDER), ignore_errors=True)
    for path in Path(results, FOLDER).rglob("*.json"):
        if path not in kept:
            path.unlink()


def put_in_place(cell: Path, log: Path) -> None:
    """Write a record, with the last line of the cell's log, and the same in place of the cell."""
    results = str(Path(*cell.parts[: cell.parts.index("cells")]))
    reason = (_lines(str(log)) or ["its log is empty"])[-1]
    for path in (record_of(cell, results), cell):
        path.unlink(missing_ok=True)
        _write(path, cell, reason, str(log))


def is_in_place(cell: Path) -> bool:
    """Whether a cell's file, which is no record of a cell, says that the cell failed."""
    return bool(_read(cell))


def in_place(root: Path = Path(), results: str = "results") -> dict[Path, Path]:
    """Every cell in whose place a record stands now, with its log."""
    found = records(root, results)
    return {file: Path(one["log"]) for file, one in found.items() if is_in_place(root / file)}


def records(root: Path = Path(), results: str = "results") -> dict[Path, dict[str, str]]:
    """Every file of which there is a record, and the record; paths are below ``root``."""
    found = map(_read, sorted((root / results / FOLDER).rglob("*.json")))
    return {Path(one["file"]): one for one in found if "file" in one}


def record_of(file: Path, results: str) -> Path:
    """Where the record of a file below a folder of results is."""
    below = file.relative_to(results)
    return Path(results, FOLDER, below if below.suffix == ".json" else f"{below}.json")


def _read(path: Path) -> dict[str, str]:
    """A record; empty if the file is none, or cannot be read."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and KEY in found else {}


def _write(path: Path, file: Path, reason: str, log: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {KEY: reason, "file": str(file), "log": log}
    path.write_text(json.dumps(found) + "\n", encoding="utf-8")


def _lines(log: str) -> list[str]:
    """Lines of a log that say something; none if it cannot be read."""
    try:
        text = Path(log).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _end_of(log: str) -> str:
    nothing = "nothing: the job ended before it logged anything, or never started"
    lines = _lines(log)[-LINES:] or [nothing]
    return f"  {log} ends with:\n" + "".join(f"    {line}\n" for line in lines)


def retry(argv: Sequence[str], targets: Sequence[str]) -> str:
    """The command line of a run with other targets, which stand first.

    Snakemake's own parser says which words of ``argv`` are targets.
    """
    from snakemake.cli import get_argument_parser

    options = list(argv[1:])
    for target in get_argument_parser().parse_known_args(options)[0].targets or ():
        if target in options:
            options.remove(target)
    # As it was typed, which need not be on the PATH: .venv/bin/snakemake.
    program = argv[0] if Path(argv[0]).name == "snakemake" else "snakemake"
    return shlex.join([program, *targets, *options])


def main(argv: list[str]) -> int:
    """Put a record in place of a cell whose command failed by itself; pass on any other status."""
    status, cell, log = int(argv[0]), Path(argv[1]), Path(argv[2])
    if status != BY_ITSELF:
        return status
    put_in_place(cell, log)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A hole: a cell file that says that its cell failed.

Cells that share a job must not take each other down, and Snakemake deletes the outputs of all
if one of them fails. So an evaluation that fails by itself in a shared job leaves a hole, with
which the job goes on; artifacts show it as missing, the end of the run names it, and the next
run makes it again, as it does an incomplete file.

As a program: ``python holes.py STATUS CELL LOG``, STATUS being that of the failed command.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

#: Second names of all holes, to find them without reading every cell file.
HOLES = Path("results/holes")
#: The key by which a cell file is known as a hole.
KEY = "failed"
#: Exit status of a command that failed by itself, and would fail again.
FAILED = 1


def is_hole(record: object) -> bool:
    """Whether what a cell file holds says that the cell failed."""
    return isinstance(record, dict) and KEY in record


def dig(cell: Path, log: Path, folder: Path = HOLES) -> None:
    """Write a hole, with the last line of the cell's log, in place of the cell."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    lines = [line for line in text.splitlines() if line.strip()]
    record = {KEY: lines[-1] if lines else "its log is empty", "log": str(log)}
    second = folder / cell
    second.parent.mkdir(parents=True, exist_ok=True)
    cell.parent.mkdir(parents=True, exist_ok=True)
    second.write_text(json.dumps(record) + "\n", encoding="utf-8")
    cell.unlink(missing_ok=True)
    os.link(second, cell)


def holes(root: Path = Path()) -> dict[Path, Path]:
    """Every hole's cell file with its log; one that was filled since is none.

    Args:
        root: folder of the project; the paths are below it.
    """
    found = {}
    for second in sorted((root / HOLES).rglob("*.json")):
        cell = second.relative_to(root / HOLES)
        if (root / cell).is_file() and is_hole(json.loads((root / cell).read_text("utf-8"))):
            found[cell] = Path(json.loads(second.read_text(encoding="utf-8"))["log"])
    return found


def main(argv: list[str]) -> int:
    """Dig a hole for a command that failed by itself; pass on any other status."""
    status, cell, log = int(argv[0]), Path(argv[1]), Path(argv[2])
    if status != FAILED:
        return status
    dig(cell, log)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

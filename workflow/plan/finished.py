"""What finished cells say of themselves: when, how long, how accurate. Read only, no torch."""

from __future__ import annotations

import csv
import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rst_core.spec import Cell, Dense, Ticket, TrainingCell
from workflow.holes import holes
from workflow.matrix import cell_file


@dataclass(frozen=True)
class Record:
    """One finished cell.

    Attributes:
        cell: which.
        finished: seconds since 1970 (UTC) at its end.
        seconds: how long it took; None if nothing says so.
        whole: whether ``seconds`` are those of the whole job, its start included.
        device: where it was computed; empty if nothing says so.
        natural: share of clean images classified correctly, over all its models; None if it
            classifies none.
    """

    cell: Cell
    finished: float
    seconds: float | None
    whole: bool
    device: str
    natural: float | None


def read_record(root: Path, cell: Cell) -> Record | None:
    """The record of a cell whose file exists; None if it vanished or cannot be read.

    Model files are torch's, and loading torch takes longer than all of this. Their end is
    the file's time, their length Snakemake's benchmark.
    """
    path = root / cell_file(cell)
    try:
        if isinstance(cell, TrainingCell):
            seconds = _benchmark(root, cell)
            return Record(cell, path.stat().st_mtime, seconds, True, "", None)
        found = json.loads(path.read_text(encoding="utf-8"))
        work = found["provenance"]
        finished = datetime.fromisoformat(work["finished"]).timestamp()
        natural = [r["natural"] for r in found["results"] if "natural" in r]
        total = sum(n["total"] for n in natural)
        share = sum(n["correct"] for n in natural) / total if total else None
        seconds = float(work["wall_seconds"])
        return Record(cell, finished, seconds, False, work["device"], share)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _benchmark(root: Path, cell: TrainingCell) -> float | None:
    match cell.model:
        case Dense():
            name = "train"
        case Ticket():
            name = "search"
        case _:
            name = "finetune"
    path = root / "results/benchmarks" / cell.model.path / f"{name}.tsv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file, delimiter="\t"))
        return float(lines[-1]["s"])
    except (OSError, ValueError, KeyError, IndexError):
        return None


def read_records(root: Path, cells: Iterable[Cell]) -> list[Record]:
    """Records of cells, those that cannot be read left out."""
    found = (read_record(root, cell) for cell in cells)
    return [record for record in found if record is not None]


def natural_shares(records: Iterable[Record]) -> dict[str, float]:
    """Median natural accuracy of each dataset's finished cells, as a fraction."""
    shares = defaultdict(list)
    for record in records:
        if record.natural is not None:
            shares[record.cell.model.network.dataset].append(record.natural)
    return {dataset: statistics.median(found) for dataset, found in shares.items()}


def there(root: Path) -> Callable[[Cell], bool]:
    """Whether a cell's file is there; a hole is none, as the next run makes it again."""
    failed = {str(path) for path in holes(root)}
    return lambda cell: cell_file(cell) not in failed and (root / cell_file(cell)).is_file()

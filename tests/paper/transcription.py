"""The files of the paper's numbers, as they are printed."""

import csv
from decimal import Decimal

from workflow.artifacts.numbers.summary import PAPER

#: Files that say under an artifact's keys what another file says under its own.
REPEATING = ("parameters", "r2s_stress")
ALL = {path.stem: path for path in sorted(PAPER.glob("*.csv"))}
FILES = {name: path for name, path in ALL.items() if name not in REPEATING}


def printed(name: str) -> dict[tuple[str, str], Decimal]:
    """A file's numbers with the decimals they are printed with."""
    with ALL[name].open(encoding="utf-8", newline="") as file:
        return {(r["row"], r["column"]): Decimal(r["value"]) for r in csv.DictReader(file)}

"""A table's numbers in rows and columns, as text, before any format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from string import ascii_lowercase
from typing import Any

import pandas as pd

from workflow.artifacts.numbers.selection import Number

#: Shown where nothing was measured.
ABSENT = "–"


@dataclass(frozen=True)
class Position:
    """A number, the labels of its row from left to right, and of its column from top to bottom.

    Two models may have one label, and two roles may be played by one network: rows and columns
    are ordered and told apart by their ranks. A rule is drawn between rows of different groups.
    """

    number: Number
    row: tuple[str, ...]
    row_rank: tuple[Any, ...]
    column: tuple[str, ...]
    column_rank: tuple[Any, ...]
    group: str = ""


@dataclass(frozen=True)
class Entry:
    """One number as shown: ours, the paper's, and the letters of its footnotes."""

    ours: str
    paper: str = ""
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """A table as text.

    Attributes:
        stub: headers over the rows' labels.
        rows: labels of each row, from left to right.
        groups: of each row; rules stand between different ones.
        columns: labels of each column, from top to bottom.
        entries: one line a row; None where the table has no such number.
        footnotes: sentences by letter.
    """

    stub: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    groups: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]
    entries: tuple[tuple[Entry | None, ...], ...]
    footnotes: Mapping[str, str]

    @property
    def compares(self) -> bool:
        """Whether the paper's numbers stand beside any of ours."""
        return any(map(has_paper, self.entries))

    def spans(self, level: int) -> list[tuple[str, int, int]]:
        """A level of column labels, each with its first and last column; equal ones are one."""
        found, start = [], 0
        for labels, group in groupby(self.columns, key=lambda c: c[: level + 1]):
            width = len(list(group))
            found.append((labels[level], start, start + width - 1))
            start += width
        return found

    def begins_group(self, row: int) -> bool:
        """Whether a rule stands above this row."""
        return row > 0 and self.groups[row] != self.groups[row - 1]


def has_paper(entries: Iterable[Entry | None]) -> bool:
    """Whether any of these has a number of the paper's."""
    return any(entry and entry.paper for entry in entries)


def shown_number(mean: float | None, spread: float | None) -> str:
    """A mean with its spread; a dash where nothing was measured."""
    if mean is None or pd.isna(mean):
        return ABSENT
    return f"{mean:.2f}" if spread is None or pd.isna(spread) else f"{mean:.2f} ± {spread:.2f}"


def make_grid(
    data: pd.DataFrame,
    positions: Sequence[Position],
    stub: tuple[str, ...],
    footnotes: Mapping[str, str],
) -> Grid:
    """Set the numbers of ``data``, tidy rows in the order of ``positions``, at their positions.

    ``footnotes`` has a sentence for the codes in ``flags``; an unknown code stands for itself.
    """
    rows = {position.row_rank: position for position in positions}
    columns = {position.column_rank: position for position in positions}
    across = sorted(columns)
    flags = [
        [code for code in text.split(";") if code] if isinstance(text, str) else []
        for text in data["flags"]
    ]
    codes_used = dict.fromkeys(code for codes in flags for code in codes)
    letters = dict(zip(codes_used, ascii_lowercase, strict=False))
    entries: dict[tuple[Any, ...], Entry] = {}
    for position, codes, (_, number) in zip(positions, flags, data.iterrows(), strict=True):
        here = position.row_rank, position.column_rank
        if here in entries:
            raise ValueError(
                f"two numbers stand at {position.row}, {position.column}; allowed is one"
            )
        entries[here] = _entry(number, tuple(letters[code] for code in codes))
    return Grid(
        stub,
        tuple(position.row for position in rows.values()),
        tuple(position.group for position in rows.values()),
        tuple(columns[rank].column for rank in across),
        tuple(tuple(entries.get((row, column)) for column in across) for row in rows),
        {letter: footnotes.get(code, code) for code, letter in letters.items()},
    )


def _entry(number: pd.Series, marks: tuple[str, ...]) -> Entry:
    """Counts of weights are the same for every seed, and shown without a spread."""
    counted = str(number["measure"]).startswith("weights")
    ours = shown_number(number["mean"], None if counted else number["spread"])
    return Entry(ours, "" if pd.isna(number["paper"]) else f"{number['paper']:.2f}", marks)

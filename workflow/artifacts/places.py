"""Where a number stands in a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from workflow.artifacts.selection import Number


@dataclass(frozen=True)
class Place:
    """A number, the heads of its row from left to right, and of its column from top to bottom.

    Two models may have one label, and two roles may be played by one network: rows and columns
    are told apart by their ranks.

    Attributes:
        number: which number.
        row: labels in the stub.
        row_rank: what rows are ordered and told apart by.
        column: labels above.
        column_rank: what columns are ordered and told apart by.
        stub: heads over the stub, the same for the whole table.
        group: a rule is drawn between rows of different groups.
    """

    number: Number
    row: tuple[str, ...]
    row_rank: tuple[Any, ...]
    column: tuple[str, ...]
    column_rank: tuple[Any, ...]
    stub: tuple[str, ...]
    group: str = ""

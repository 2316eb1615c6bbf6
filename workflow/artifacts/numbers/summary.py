"""From numbers of single seeds to the rows of an artifact: mean, spread, n, paper, difference."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from rst_core.storage import FileError
from workflow.config import DatasetEntry
from workflow.matrix import Matrix

PAPER = Path(__file__).resolve().parents[2] / "paper"

#: The paper's numbers, by row and column.
Published = Mapping[tuple[str, str], float]


@cache
def paper_values(artifact: str) -> Published:
    """The paper's published numbers of an artifact; see workflow/paper."""
    path = PAPER / f"{artifact}.csv"
    found = printed(path) if path.is_file() else {}
    return {key: float(text) for key, text in found.items()}


def printed(path: Path) -> dict[tuple[str, str], str]:
    """The numbers of one file of the paper's, with the decimals that it prints.

    Raises:
        FileError: if a number stands twice, is none, or cannot be.
    """

    def damaged(what: str) -> FileError:
        # Nothing makes it again, and without it the paper's numbers would be missing in silence.
        return FileError(f"{path} is damaged: {what}; mend the line, or restore the project's file")

    found: dict[tuple[str, str], str] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), 2):
            try:
                key, value = (row["row"], row["column"]), float(row["value"])
            except (LookupError, TypeError, ValueError):
                raise damaged(f"line {line} is no row, column and value") from None
            if key in found or not -100 <= value <= 1e6 or not all(key):
                raise damaged(f"line {line} stands twice, or says {row['value']}")
            found[key] = row["value"]
    return found


def over_seeds(values: pd.Series) -> dict[str, Any]:
    """Mean, sample standard deviation and number of seeds; missing values stay missing."""
    values = values.dropna()
    return {
        "mean": values.mean() if len(values) else None,
        "spread": values.std() if len(values) > 1 else None,
        "seeds": len(values),
    }


def _dataset_entry(matrix: Matrix, role: str) -> DatasetEntry:
    return matrix.config.datasets[matrix.config.roles.datasets[role]]


def data_label(matrix: Matrix, role: str) -> str:
    """What a dataset role is played by, as shown to readers: a stand-in always says so."""
    entry = _dataset_entry(matrix, role)
    stand_in = entry.stand_in_for and f"stand-in for {entry.stand_in_for}"
    remarks = "; ".join(filter(None, [stand_in, entry.note]))
    return f"{entry.label} [{remarks}]" if remarks else entry.label


def short_label(matrix: Matrix, role: str) -> str:
    """A dataset's label for titles and headers; a stand-in says whose."""
    entry = _dataset_entry(matrix, role)
    if entry.stand_in_for:
        return f"{entry.label}†\n(stand-in for {entry.stand_in_for})"
    return entry.label + ("†" if entry.note else "")


def is_marked(matrix: Matrix, role: str) -> bool:
    """Whether a dataset role needs a remark wherever it is named."""
    return data_label(matrix, role) != short_label(matrix, role)


def stands_in(matrix: Matrix, role: str) -> bool:
    """Whether numbers on this role must not be compared with the paper's."""
    return bool(_dataset_entry(matrix, role).stand_in_for)


def network_label(matrix: Matrix, role: str) -> str:
    """What a network role is played by."""
    return matrix.config.networks[matrix.config.roles.networks[role]].label


def protocol(matrix: Matrix) -> str:
    """How the shown epoch was chosen, for captions."""
    return {
        "best_val": "epoch chosen on held-out training images",
        "last": "last epoch",
        "best_test": "PAPER'S PROTOCOL: EPOCH CHOSEN ON THE TEST SET",
    }[matrix.config.selection]


def remarks(matrix: Matrix, roles: list[str], seeds: int | None = None) -> str:
    """The line under every artifact: protocol, seeds (the config's), and what plays whose role."""
    seeds = len(matrix.config.seeds) if seeds is None else seeds
    parts = [protocol(matrix), f"{seeds} seed{'s' if seeds > 1 else ''}"]
    shown = dict.fromkeys(data_label(matrix, role) for role in roles)
    parts += [f"† {label}" for label in shown if "[" in label]
    return "; ".join(parts)


def title(matrix: Matrix, text: str, roles: list[str]) -> str:
    """A title that says at once if it is not about the paper's data."""
    on_stand_in = [role for role in roles if stands_in(matrix, role)]
    return f"{text} (on stand-in data)" if on_stand_in else text


#: Columns of every artifact's tidy rows; those that an artifact has no use for stay empty.
COLUMNS = [
    "artifact", "row", "column", "dataset", "network", "series", "keep_ratio", "candidates",
    "source", "attack_keep_ratio", "measure", "attack", "attack_eps",
    "mean", "spread", "seeds", "images", "paper", "difference", "flags", "selection", "data",
    "role", "network_role",
]  # fmt: skip


def with_paper(
    rows: list[dict[str, Any]], artifact: str, matrix: Matrix, published: Published | None = None
) -> pd.DataFrame:
    """Add the paper's value and the difference to rows that have ``row``, ``column``, ``role``.

    The difference is left out on a stand-in, and where a row's ``comparable`` is false: it would
    compare two different things. ``published`` are the paper's values, by default those of the
    artifact's own file.
    """
    roles = matrix.config.roles
    published = paper_values(artifact) if published is None else published
    for row in rows:
        row["paper"] = published.get((row["row"], row["column"]))
        comparable = row["paper"] is not None and row["mean"] is not None
        comparable = comparable and row.get("comparable", True)
        comparable = comparable and not stands_in(matrix, row["role"])
        row["difference"] = row["mean"] - row["paper"] if comparable else None
        if "network_role" in row:  # else the paper alone has the number
            row["dataset"] = roles.datasets[row["role"]]
            row["network"] = roles.networks[row["network_role"]]
        row["data"] = data_label(matrix, row["role"])
        row["selection"] = matrix.config.selection.value
    return pd.DataFrame([{"artifact": artifact, **r} for r in rows], columns=COLUMNS)

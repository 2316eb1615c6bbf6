"""A table's tidy rows in the paper's layout: as Markdown, and as a picture."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from workflow.artifacts import style
from workflow.artifacts.summary import remarks
from workflow.matrix import Matrix

Label = Callable[[str, Matrix], str]


def shown_number(mean: float | None, spread: float | None) -> str:
    """A mean with its spread; a dash where nothing was measured."""
    if mean is None or pd.isna(mean):
        return "–"
    return f"{mean:.2f}" if spread is None or pd.isna(spread) else f"{mean:.2f} ± {spread:.2f}"


def grid(data: pd.DataFrame, matrix: Matrix, row_label: Label, column_label: Label) -> pd.DataFrame:
    """Rows and columns as in the paper, each number ``ours (paper's)``."""
    rows = list(dict.fromkeys(data["row"]))
    columns = list(dict.fromkeys(data["column"]))
    by_place = data.set_index(["row", "column"])
    cells = []
    for row in rows:
        line = []
        for column in columns:
            number = by_place.loc[(row, column)]
            ours = shown_number(number["mean"], number["spread"])
            paper = number["paper"]
            line.append(ours if pd.isna(paper) else f"{ours} ({paper:.2f})")
        cells.append(line)
    return pd.DataFrame(
        cells,
        index=[row_label(r, matrix) for r in rows],
        columns=[column_label(c, matrix) for c in columns],
    )


def markdown(table: pd.DataFrame, title: str, caption: str) -> str:
    """A Markdown page with the table."""
    heads = [c.replace("\n", " ") for c in table.columns]
    lines = [f"## {title}", "", "| Network | " + " | ".join(heads) + " |"]
    lines.append("|---" * (len(heads) + 1) + "|")
    for name, row in table.iterrows():
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    return "\n".join([*lines, "", caption, ""])


def picture(table: pd.DataFrame, title: str, note: str) -> Figure:
    """The table as a figure."""
    style.begin()
    rows, columns = table.shape
    figure, ax = plt.subplots(
        figsize=(1.9 + 1.75 * columns, 0.9 + 0.34 * (rows + 2)), layout="constrained"
    )
    ax.axis("off")
    drawn = ax.table(
        cellText=table.to_numpy().tolist(),
        rowLabels=list(table.index),
        colLabels=list(table.columns),
        cellLoc="center",
        loc="center",
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(8)
    drawn.scale(1, 1.5)
    for (row, column), cell in drawn.get_celld().items():
        cell.set_edgecolor("0.8")
        if row == 0:
            cell.set_height(cell.get_height() * 2.3)
        if row == 0 or column < 0:
            cell.set_facecolor("0.95")
            cell.set_text_props(weight="bold")
    ax.set_title(title)
    style.footnote(figure, note)
    return figure


def table_remarks(data: pd.DataFrame, matrix: Matrix) -> str:
    """The line under a table."""
    roles = list(dict.fromkeys(data["role"]))
    return "ours, mean ± deviation over seeds (paper in brackets); " + remarks(matrix, roles)

"""Make one artifact's files from cell files. Called by Snakemake, importable by tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from rst_core.storage import write_text
from workflow.artifacts import style
from workflow.artifacts.artifact import Figure
from workflow.artifacts.numbers.frame import read_cells
from workflow.artifacts.numbers.summary import title
from workflow.artifacts.numbers.suspicion import FOOTNOTES
from workflow.artifacts.tables import layout
from workflow.artifacts.tables.grid import make_grid
from workflow.artifacts.tables.picture import picture
from workflow.artifacts.tables.table import Table
from workflow.matrix import Matrix


def make(artifact: Table | Figure, cells: Iterable[Path], matrix: Matrix, stem: Path) -> None:
    """Write an artifact from the files of all of its cells; see :func:`write`."""
    frame = read_cells(cells)
    write(artifact, frame, matrix, stem, gaps(frame))


def write(
    artifact: Table | Figure, cells: pd.DataFrame, matrix: Matrix, stem: Path, remark: str = ""
) -> None:
    """Write ``stem`` with .csv (tidy) and .png; a table also with .md and .tex, a figure with .pdf.

    ``cells`` is the tidy frame of cells, all or those that exist; the note begins with ``remark``.
    """
    data = artifact.build(cells, matrix)
    if isinstance(artifact, Table):
        _write_table(artifact, data, matrix, stem, remark)
    else:
        drawn = artifact.draw(data, matrix, remark)
        style.save(drawn, stem.with_suffix(".png"), stem.with_suffix(".pdf"))
    write_text(stem.with_suffix(".csv"), data.to_csv(index=False))


def _write_table(table: Table, data: pd.DataFrame, matrix: Matrix, stem: Path, remark: str) -> None:
    """Write the paper's layout as picture, Markdown and LaTeX."""
    grid = make_grid(data, table.positions(matrix), table.titles, FOOTNOTES)
    note = "; ".join(filter(None, [remark, layout.table_remarks(data, grid, matrix)]))
    heading = title(matrix, table.heading, list(dict.fromkeys(data["role"])))
    caption = f"{table.caption} {note}."
    style.save(picture(grid, heading, note), stem.with_suffix(".png"))
    write_text(stem.with_suffix(".md"), layout.markdown(grid, heading, caption))
    write_text(stem.with_suffix(".tex"), layout.latex(grid, table.name, heading, caption))


def gaps(frame: pd.DataFrame) -> str:
    """What an artifact says about cells that failed and are not in it; nothing if none did."""
    failed = frame.attrs.get("failed", 0)
    if not failed:
        return ""
    return f"INCOMPLETE: {failed} cell{'s' if failed > 1 else ''} failed and left out"

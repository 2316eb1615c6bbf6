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
    """Write an artifact from the files of all of its cells; see the writer of its kind."""
    frame = read_cells(cells)
    if isinstance(artifact, Table):
        write_table(artifact, frame, matrix, stem, gaps(frame))
    else:
        write_figure(artifact, frame, matrix, stem, gaps(frame))


def write_table(
    artifact: Table, cells: pd.DataFrame, matrix: Matrix, stem: Path, remark: str = ""
) -> None:
    """Write ``stem`` with .csv (tidy), and .md, .tex and .png (the paper's layout).

    ``cells`` is the tidy frame of cells, all or those that exist; the note begins with ``remark``.
    """
    data = artifact.build(cells, matrix)
    grid = make_grid(data, artifact.positions(matrix), artifact.titles, FOOTNOTES)
    note = "; ".join(filter(None, [remark, layout.table_remarks(data, grid, matrix)]))
    heading = title(matrix, artifact.heading, list(dict.fromkeys(data["role"])))
    caption = f"{artifact.caption} {note}."
    style.save(picture(grid, heading, note), stem.with_suffix(".png"))
    write_text(stem.with_suffix(".md"), layout.markdown(grid, heading, caption))
    write_text(stem.with_suffix(".tex"), layout.latex(grid, artifact.name, heading, caption))
    write_text(stem.with_suffix(".csv"), data.to_csv(index=False))


def write_figure(
    figure: Figure, cells: pd.DataFrame, matrix: Matrix, stem: Path, remark: str = ""
) -> None:
    """Write ``stem`` with .csv (the data behind it), .png and .pdf; else as :func:`write_table`."""
    data = figure.build(cells, matrix)
    drawn = figure.draw(data, matrix, remark)
    style.save(drawn, stem.with_suffix(".png"), stem.with_suffix(".pdf"))
    write_text(stem.with_suffix(".csv"), data.to_csv(index=False))


def gaps(frame: pd.DataFrame) -> str:
    """What an artifact says about cells that failed and are not in it; nothing if none did."""
    failed = frame.attrs.get("failed", 0)
    if not failed:
        return ""
    return f"INCOMPLETE: {failed} cell{'s' if failed > 1 else ''} failed and left out"

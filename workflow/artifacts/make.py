"""Make one artifact's files from cell files. Called by Snakemake, importable by tests."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from rst_core.files import write_text
from workflow.artifacts import layout, style
from workflow.artifacts.frame import read_cells
from workflow.artifacts.registry import Artifact
from workflow.artifacts.summary import title
from workflow.matrix import Matrix


def make_table(artifact: Artifact, cells: Iterable[Path], matrix: Matrix, stem: Path) -> None:
    """Write a table from the files of all of its cells."""
    write_table(artifact, read_cells(cells), matrix, stem)


def make_figure(artifact: Artifact, cells: Iterable[Path], matrix: Matrix, stem: Path) -> None:
    """Write a figure from the files of all of its cells."""
    write_figure(artifact, read_cells(cells), matrix, stem)


def write_table(
    artifact: Artifact, cells: pd.DataFrame, matrix: Matrix, stem: Path, remark: str = ""
) -> None:
    """Write ``stem`` with .csv (tidy), .md and .png (the paper's layout).

    Args:
        artifact: the table.
        cells: the tidy frame of cells, all or those that exist.
        matrix: the config's.
        stem: path without a suffix.
        remark: what else its footnote says.
    """
    module = importlib.import_module(f"workflow.artifacts.{artifact.module}")
    data = module.build(cells, matrix)
    note = "; ".join(filter(None, [remark, layout.table_remarks(data, matrix)]))
    grid = layout.grid(data, matrix, module.row_label, module.column_label)
    heading = title(matrix, artifact.title, list(dict.fromkeys(data["role"])))
    style.save(layout.picture(grid, heading, note), stem.with_suffix(".png"))
    page = layout.markdown(grid, heading, f"{artifact.caption} {note}.")
    write_text(stem.with_suffix(".md"), page)
    write_text(stem.with_suffix(".csv"), data.to_csv(index=False))


def write_figure(
    artifact: Artifact, cells: pd.DataFrame, matrix: Matrix, stem: Path, remark: str = ""
) -> None:
    """Write ``stem`` with .csv (the data behind it), .png and .pdf; see :func:`write_table`."""
    module = importlib.import_module(f"workflow.artifacts.{artifact.module}")
    data = module.build(cells, matrix)
    for suffix in (".png", ".pdf"):
        figure = module.draw(data, matrix)
        if remark:
            style.footnote(figure, "; ".join(filter(None, [remark, figure.get_supxlabel()])))
        style.save(figure, stem.with_suffix(suffix))
    write_text(stem.with_suffix(".csv"), data.to_csv(index=False))

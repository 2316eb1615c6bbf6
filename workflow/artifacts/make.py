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
    """Write ``stem`` with .csv (tidy), .md and .png (the paper's layout)."""
    module = importlib.import_module(f"workflow.artifacts.{artifact.module}")
    frame = read_cells(cells)
    data = module.build(frame, matrix)
    note = "; ".join(filter(None, [layout.table_remarks(data, matrix), gaps(frame)]))
    grid = layout.grid(data, matrix, module.row_label, module.column_label)
    heading = title(matrix, artifact.title, list(dict.fromkeys(data["role"])))
    style.save(layout.picture(grid, heading, note), stem.with_suffix(".png"))
    page = layout.markdown(grid, heading, f"{artifact.caption} {note}.")
    write_text(stem.with_suffix(".md"), page)
    write_text(stem.with_suffix(".csv"), data.to_csv(index=False))


def make_figure(artifact: Artifact, cells: Iterable[Path], matrix: Matrix, stem: Path) -> None:
    """Write ``stem`` with .csv (the data behind it), .png and .pdf."""
    module = importlib.import_module(f"workflow.artifacts.{artifact.module}")
    frame = read_cells(cells)
    data = module.build(frame, matrix)
    for suffix in (".png", ".pdf"):
        picture = module.draw(data, matrix)
        picture.text(0, 1.01, gaps(frame), color="firebrick")
        style.save(picture, stem.with_suffix(suffix))
    write_text(stem.with_suffix(".csv"), data.to_csv(index=False))


def gaps(frame: pd.DataFrame) -> str:
    """What an artifact says about cells that failed and are not in it; nothing if none did."""
    failed = frame.attrs.get("failed", 0)
    if not failed:
        return ""
    return f"INCOMPLETE: {failed} cell{'s' if failed > 1 else ''} failed and left out"

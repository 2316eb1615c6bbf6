"""Every artifact from the cells that exist now, so that a long run can be read on any day.

Only reads cells: whatever else writes them meanwhile, a cell is there whole, or damaged and
left out by name, or not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rst_core.identity import Cell
from rst_core.storage import write_text
from workflow.artifacts.claims import claim_cells, make_claims
from workflow.artifacts.figures.training_parts import ALL, trained_cells
from workflow.artifacts.make import write
from workflow.artifacts.numbers.frame import as_frame, read_rows
from workflow.artifacts.registry import ARTIFACTS, TABLES
from workflow.artifacts.report.page import (
    CLAIMS,
    PROGRESS,
    PROTOCOL,
    from_markdown,
    page,
    page_name,
    training_overview,
    write_page,
)
from workflow.artifacts.report.protocol import protocol
from workflow.artifacts.report.training import read_curves, write_training
from workflow.keys import Keys, State
from workflow.matrix import Matrix
from workflow.text import table

#: Rows of the tidy frame by the cell's path.
Rows = dict[str, list[dict[str, Any]]]


@dataclass
class Completeness:
    """How far a run is.

    Attributes:
        existing: how many cells there are, of all that are ``needed``.
        problems: a sentence for each file that is left out, and each artifact that is not drawn.
        drawn: title of an artifact, how many of its cells exist, and how many it needs.
    """

    existing: int
    needed: int
    problems: list[str]
    drawn: list[tuple[str, int, int]] = field(default_factory=list)

    @contextmanager
    def drawing(self, title: str, existing: Sized, needed: Sized) -> Iterator[str]:
        """Count an artifact and give its remark; that it cannot be drawn is no reason to stop."""
        self.drawn.append((title, len(existing), len(needed)))
        try:
            yield f"Partial: {len(existing)} of {len(needed)} cells"
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
            self.problems.append(f"{title} could not be drawn: {failure}")

    def sentences(self) -> list[str]:
        """What a person should be told."""
        return [f"drawn from {self.existing} of {self.needed} cells", *self.problems]

    def markdown(self) -> str:
        """The page about it."""
        now = datetime.now().astimezone().isoformat(" ", "minutes")
        first, *problems = self.sentences()
        lines = ["## Progress", "", f"On {now}: {first}. What is missing is shown as missing.", ""]
        lines += [f"- **{problem}**" for problem in problems]
        counts = table(["artifact", "cells that exist", "of"], self.drawn)
        return "\n".join([*lines, "", counts, ""])


def read_existing(matrix: Matrix, keys: Keys, root: Path) -> tuple[Rows, list[str]]:
    """The rows of all fresh cells below ``root``, and a sentence for each that is left out."""
    rows: Rows = {}
    left_out = []
    for cell in matrix.all_cells():
        path, status = matrix.file(cell), keys.status(cell)
        if status.state is State.STALE:
            left_out.append(f"left out: {path} is stale: {status.reason}")
            continue
        try:
            if found := read_rows(root / path):
                rows[path] = found
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            left_out.append(f"left out: {error}")
    return rows, left_out


def draw_partial(matrix: Matrix, keys: Keys, target: Path, root: Path = Path()) -> Completeness:
    """Make everything in ``target``: claims, tables, figures, and a page for each.

    One that cannot be made does not keep the others from being made.

    Args:
        matrix: the config's.
        keys: say which cells are fresh.
        target: folder of the partial results.
        root: the folder that holds ``results``.
    """
    rows, left_out = read_existing(matrix, keys, root)
    completeness = Completeness(len(rows), len(matrix.all_cells()), left_out)
    pages = target / "pages"

    def found(cells: Sequence[Cell]) -> list[str]:
        return [path for cell in cells if (path := matrix.file(cell)) in rows]

    needed = claim_cells(matrix)
    existing = found(needed)
    with completeness.drawing(CLAIMS, existing, needed) as remark:
        files, stem = [root / path for path in existing], target / "claims" / "claims"
        make_claims(files, matrix, stem, pages / f"{CLAIMS}.html", "../", remark)

    for name, artifact in ARTIFACTS.items():
        needed = artifact.cells(matrix)
        existing = found(needed)
        stem = target / ("tables" if name in TABLES else "figures") / name
        with completeness.drawing(artifact.heading, existing, needed) as remark:
            cells = as_frame(row for path in existing for row in rows[path])
            write(artifact, cells, matrix, stem, remark)
            files = sorted(stem.parent.glob(f"{name}.*"))
            write_page(artifact, files, pages / page_name(artifact))

    trained = trained_cells(matrix)
    fresh = (cell for cell in trained if keys.state(cell) is State.FRESH)
    curves, without = read_curves(fresh, lambda cell: root / matrix.file(cell))
    overview, folder = training_overview(ALL), target / "training"
    with completeness.drawing(overview, curves, trained):
        write_training(ALL, curves, without, matrix, folder, pages / f"{overview}.html", pages)

    texts = {
        PROGRESS: completeness.markdown(),
        PROTOCOL: protocol(matrix, [root / path for path in rows], root),
    }
    for name, text in texts.items():
        write_text(pages / f"{name}.html", page(name, from_markdown(text)))
    return completeness

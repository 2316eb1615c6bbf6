"""Every artifact from the cells that exist now, so that a long run can be read on any day.

Only reads cells: whatever else writes them meanwhile, a cell is there whole, or damaged and
left out by name, or not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rst_core.identity import Cell
from rst_core.storage import write_text
from workflow.artifacts.claims import claim_cells, make_claims
from workflow.artifacts.claims.page import without_links
from workflow.artifacts.figures.training_parts import ALL, trained_cells
from workflow.artifacts.make import write_figure, write_table
from workflow.artifacts.numbers.frame import as_frame, read_rows
from workflow.artifacts.registry import FIGURES, TABLES
from workflow.artifacts.report.page import (
    CLAIMS,
    PROGRESS,
    PROTOCOL,
    from_markdown,
    label,
    page,
    training_overview,
    write_page,
)
from workflow.artifacts.report.protocol import protocol, read_made
from workflow.artifacts.report.training import read_curves, write_training
from workflow.keys import Keys, State
from workflow.matrix import Matrix
from workflow.text import table


@dataclass(frozen=True)
class Existing:
    """What could be read of the cells that were asked for.

    Attributes:
        rows: rows of the tidy frame, by the cell's path.
        damaged: a sentence for each file that is there and cannot be read, or is stale.
    """

    rows: Mapping[str, list[dict[str, Any]]]
    damaged: tuple[str, ...]


@dataclass(frozen=True)
class Drawn:
    """One artifact, or the claims: how many cells exist, and why it could not be drawn, if so."""

    title: str
    existing: int
    needed: int
    failure: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a run is."""

    drawn: tuple[Drawn, ...]
    existing: int
    needed: int
    damaged: tuple[str, ...]

    def sentences(self) -> list[str]:
        """What a person should be told."""
        failed = [d for d in self.drawn if d.failure]
        return [
            f"drawn from {self.existing} of {self.needed} cells",
            *(f"left out: {sentence}" for sentence in self.damaged),
            *(f"{d.title} could not be drawn: {d.failure}" for d in failed),
        ]

    def markdown(self) -> str:
        """The page about it."""
        now = datetime.now().astimezone().isoformat(" ", "minutes")
        first, *problems = self.sentences()
        lines = ["## Progress", "", f"On {now}: {first}. What is missing is shown as missing.", ""]
        lines += [f"- **{problem}**" for problem in problems]
        rows = [[d.title, d.existing, d.needed] for d in self.drawn]
        return "\n".join([*lines, "", table(["artifact", "cells that exist", "of"], rows), ""])


def read_existing(matrix: Matrix, keys: Keys, root: Path) -> Existing:
    """Read the files of all cells that are fresh; ``root`` is the folder that holds results."""
    rows, damaged = {}, []
    for cell in matrix.all_cells():
        path, verdict = matrix.file(cell), keys.verdict(cell)
        if verdict.state is State.STALE:
            damaged.append(f"{path} is stale: {verdict.reason}")
            continue
        try:
            if found := read_rows(root / path):
                rows[path] = found
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            damaged.append(str(error))
    return Existing(rows, tuple(damaged))


def draw_partial(matrix: Matrix, keys: Keys, target: Path, root: Path = Path()) -> Progress:
    """Make everything in ``target``: claims, tables, figures, and a page for each.

    One that cannot be made does not keep the others from being made.

    Args:
        matrix: the config's.
        keys: say which cells are fresh.
        target: folder of the partial results.
        root: the folder that holds ``results``.
    """
    needed = len(matrix.all_cells())
    existing = read_existing(matrix, keys, root)
    maker = _Maker(matrix, existing, target, root)
    drawn = (
        maker.claims(),
        *(maker.artifact(table, "tables", write_table) for table in TABLES.values()),
        *(maker.artifact(figure, "figures", write_figure) for figure in FIGURES.values()),
    )
    drawn = (*drawn, maker.training(keys))
    progress = Progress(drawn, len(existing.rows), needed, existing.damaged)
    made = read_made(root / path for path in existing.rows)
    maker.page(PROGRESS, progress.markdown())
    maker.page(PROTOCOL, protocol(matrix, made, root))
    return progress


@dataclass(frozen=True)
class _Maker:
    matrix: Matrix
    existing: Existing
    target: Path
    root: Path

    def artifact(self, artifact: Any, folder: str, write: Callable[..., None]) -> Drawn:
        def make(found: list[str], remark: str) -> None:
            cells = as_frame(row for path in found for row in self.existing.rows[path])
            stem = self.target / folder / artifact.name
            write(artifact, cells, self.matrix, stem, remark)
            files = sorted(stem.parent.glob(f"{artifact.name}.*"))
            write_page(artifact, files, self._page(label(artifact)))

        return self._attempt(artifact.heading, artifact.cells(self.matrix), make)

    def claims(self) -> Drawn:
        def make(found: list[str], remark: str) -> None:
            stem = self.target / "claims" / "claims"
            make_claims([self.root / path for path in found], self.matrix, stem, base="../")
            text = without_links(stem.with_suffix(".html").read_text(encoding="utf-8"))
            body = "<body>\n"
            write_text(self._page(CLAIMS), text.replace(body, f"{body}<p>{remark}.</p>\n", 1))

        return self._attempt(CLAIMS, claim_cells(self.matrix), make)

    def training(self, keys: Keys) -> Drawn:
        """The curves of finished models."""
        cells = trained_cells(self.matrix)
        fresh = (cell for cell in cells if keys.state(cell) is State.FRESH)
        curves, left_out = read_curves(fresh, lambda cell: self.root / self.matrix.file(cell))
        label, folder = training_overview(ALL), self.target / "training"
        folder.mkdir(parents=True, exist_ok=True)
        failure = ""
        try:
            page = self._page(label)
            write_training(
                ALL, curves, left_out, self.matrix, folder, page, page.parent, partial=True
            )
        except Exception as error:  # as of any other artifact
            failure = f"{type(error).__name__}: {error}"
        return Drawn(label, len(curves), len(cells), failure)

    def page(self, name: str, markdown: str) -> None:
        write_text(self._page(name), page(name, from_markdown(markdown)))

    def _page(self, name: str) -> Path:
        return self.target / "pages" / f"{name}.html"

    def _attempt(
        self, title: str, cells: Iterable[Cell], make: Callable[[list[str], str], None]
    ) -> Drawn:
        paths = [self.matrix.file(cell) for cell in cells]
        found = [path for path in paths if path in self.existing.rows]
        failure = ""
        try:
            make(found, f"Partial: {len(found)} of {len(paths)} cells")
        except Exception as error:  # a builder's defect: said, and no reason to lose the rest
            failure = f"{type(error).__name__}: {error}"
        return Drawn(title, len(found), len(paths), failure)

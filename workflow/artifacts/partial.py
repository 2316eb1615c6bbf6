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

from rst_core.files import write_text
from rst_core.spec import Cell
from workflow.artifacts.claims import make_claims
from workflow.artifacts.claims_data import claim_cells
from workflow.artifacts.frame import as_frame, read_rows
from workflow.artifacts.make import write_figure, write_table
from workflow.artifacts.page import (
    CLAIMS,
    PROGRESS,
    PROTOCOL,
    from_markdown,
    label,
    page,
    write_page,
)
from workflow.artifacts.protocol import protocol, read_made
from workflow.artifacts.registry import FIGURES, TABLES
from workflow.matrix import Matrix, cell_file


@dataclass(frozen=True)
class Existing:
    """What could be read of the cells that were asked for.

    Attributes:
        rows: rows of the tidy frame, by the cell's path.
        damaged: a sentence for each file that is there and cannot be read.
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
        lines += ["", "| artifact | cells that exist | of |", "|---|---|---|"]
        lines += [f"| {d.title} | {d.existing} | {d.needed} |" for d in self.drawn]
        return "\n".join([*lines, ""])


def read_existing(paths: Iterable[str], root: Path) -> Existing:
    """Read those cell files that exist; ``paths`` are relative to ``root``."""
    rows, damaged = {}, []
    for path in paths:
        try:
            if found := read_rows(root / path):
                rows[path] = found
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            damaged.append(str(error))
    return Existing(rows, tuple(damaged))


def draw_partial(matrix: Matrix, target: Path, root: Path = Path()) -> Progress:
    """Make everything in ``target``: claims, tables, figures, and a page for each.

    One that cannot be made does not keep the others from being made.

    Args:
        matrix: the config's.
        target: folder of the partial results.
        root: the folder that holds ``results``.
    """
    everything = [cell_file(cell) for cell in matrix.all_cells()]
    existing = read_existing(everything, root)
    maker = _Maker(matrix, existing, target, root)
    drawn = (
        maker.claims(),
        *(maker.artifact(table, "tables", write_table) for table in TABLES.values()),
        *(maker.artifact(figure, "figures", write_figure) for figure in FIGURES.values()),
    )
    progress = Progress(drawn, len(existing.rows), len(everything), existing.damaged)
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
            make_claims([self.root / path for path in found], self.matrix, stem)
            text = stem.with_suffix(".html").read_text(encoding="utf-8")
            body = "<body>\n"
            write_text(self._page(CLAIMS), text.replace(body, f"{body}<p>{remark}.</p>\n", 1))

        return self._attempt(CLAIMS, claim_cells(self.matrix), make)

    def page(self, name: str, markdown: str) -> None:
        write_text(self._page(name), page(name, from_markdown(markdown)))

    def _page(self, name: str) -> Path:
        return self.target / "pages" / f"{name}.html"

    def _attempt(
        self, title: str, cells: Iterable[Cell], make: Callable[[list[str], str], None]
    ) -> Drawn:
        paths = [cell_file(cell) for cell in cells]
        found = [path for path in paths if path in self.existing.rows]
        failure = ""
        try:
            make(found, f"Partial: {len(found)} of {len(paths)} cells")
        except Exception as error:  # a builder's defect: said, and no reason to lose the rest
            failure = f"{type(error).__name__}: {error}"
        return Drawn(title, len(found), len(paths), failure)

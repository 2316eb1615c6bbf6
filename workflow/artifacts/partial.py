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
from workflow.artifacts.artifact import Artifact
from workflow.artifacts.frame import as_frame, read_rows
from workflow.artifacts.make import write_figure, write_table
from workflow.artifacts.page import PROGRESS, PROTOCOL, from_markdown, label, page, write_page
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
    """One artifact: how many of its cells exist, and why it could not be drawn, if so."""

    artifact: Artifact
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
            *(f"{label(d.artifact)} could not be drawn: {d.failure}" for d in failed),
        ]

    def markdown(self) -> str:
        """The page about it."""
        now = datetime.now().astimezone().isoformat(" ", "minutes")
        first, *problems = self.sentences()
        lines = ["## Progress", "", f"On {now}: {first}. What is missing is shown as missing.", ""]
        lines += [f"- **{problem}**" for problem in problems]
        lines += ["", "| artifact | cells that exist | of |", "|---|---|---|"]
        lines += [f"| {d.artifact.title} | {d.existing} | {d.needed} |" for d in self.drawn]
        return "\n".join([*lines, ""])


def read_existing(paths: Iterable[str], root: Path) -> Existing:
    """Read those cell files that exist; ``paths`` are relative to ``root``."""
    rows, damaged = {}, []
    for path in paths:
        try:
            rows[path] = read_rows(root / path)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            damaged.append(str(error))
    return Existing(rows, tuple(damaged))


def draw_partial(matrix: Matrix, target: Path, root: Path = Path()) -> Progress:
    """Draw all artifacts into ``target``, with a page for each, one on progress and protocol.

    An artifact that cannot be drawn does not keep the others from being drawn.

    Args:
        matrix: the config's.
        target: folder of the partial artifacts.
        root: the folder that holds ``results``.
    """
    needed = {
        name: [cell_file(cell) for cell in artifact.cells(matrix)]
        for name, artifact in (TABLES | FIGURES).items()
    }
    everything = [cell_file(cell) for cell in matrix.all_cells()]
    existing = read_existing(everything, root)
    drawn = [
        _draw(artifact, needed[artifact.name], existing, matrix, target / folder, write)
        for folder, artifacts, write in (
            ("tables", TABLES, write_table),
            ("figures", FIGURES, write_figure),
        )
        for artifact in artifacts.values()
    ]
    progress = Progress(tuple(drawn), len(existing.rows), len(everything), existing.damaged)
    made = read_made(root / path for path in existing.rows)
    for name, text in (
        (PROGRESS, progress.markdown()),
        (PROTOCOL, protocol(matrix, made, root)),
    ):
        write_text(target / "pages" / f"{name}.html", page(name, from_markdown(text)))
    return progress


def _draw(
    artifact: Artifact,
    paths: list[str],
    existing: Existing,
    matrix: Matrix,
    folder: Path,
    write: Callable[..., None],
) -> Drawn:
    found = [path for path in paths if path in existing.rows]
    cells = as_frame(row for path in found for row in existing.rows[path])
    stem = folder / artifact.name
    try:
        write(artifact, cells, matrix, stem, f"Partial: {len(found)} of {len(paths)} cells")
        files = sorted(folder.glob(f"{artifact.name}.*"))
        write_page(artifact, files, folder.parent / "pages" / f"{label(artifact)}.html")
    except Exception as error:  # a builder's defect: said, and no reason to lose the rest
        failure = f"{type(error).__name__}: {error}"
        return Drawn(artifact, len(found), len(paths), failure)
    return Drawn(artifact, len(found), len(paths))

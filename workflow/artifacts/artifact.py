"""What an artifact is: a declaration that rules and builders read."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rst_core.spec import Cell
from workflow.matrix import Matrix

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib import figure


@dataclass(frozen=True)
class Artifact:
    """A table or figure: the cells it needs, and pure functions of their results.

    Attributes:
        name: file name, such as ``table3`` or ``fig7``.
        title: one line.
        caption: what it shows, with the paper's section.
        experiments: whose cells it needs.
        module: module under ``workflow.artifacts`` that makes it. Named, not imported: the
            Snakefile is read by every job, and must not load pandas.
        alias: the number that it has elsewhere, such as "supplement's Table 1".
    """

    name: str
    title: str
    caption: str
    experiments: tuple[str, ...]
    module: str
    alias: str = field(default="", kw_only=True)

    @property
    def heading(self) -> str:
        """The title, with the alias behind its number."""
        number, colon, text = self.title.partition(":")
        return f"{number} ({self.alias}){colon}{text}" if self.alias else self.title

    def cells(self, matrix: Matrix) -> list[Cell]:
        """The cells that the artifact reads, each once."""
        found = (cell for e in self.experiments for cell in matrix.cells(e))
        return list(dict.fromkeys(found))


class Figure(Protocol):
    """An artifact that is drawn: what :func:`workflow.artifacts.make.write_figure` needs."""

    @property
    def name(self) -> str:
        """File name, such as ``fig7``."""

    @property
    def title(self) -> str:
        """One line."""

    @property
    def heading(self) -> str:
        """The title, with the alias behind its number."""

    @property
    def caption(self) -> str:
        """What it shows, with the paper's section."""

    @property
    def experiments(self) -> tuple[str, ...]:
        """Whose cells it needs."""

    def cells(self, matrix: Matrix) -> list[Cell]:
        """The cells that it reads, each once."""

    def build(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """The data behind it, one row a number, from a frame that may hold more or less."""

    def draw(self, data: pd.DataFrame, matrix: Matrix, remark: str = "") -> figure.Figure:
        """The picture of :meth:`build`'s data; ``remark`` goes before the line under it."""


@dataclass(frozen=True)
class ModuleFigure(Artifact):
    """A figure whose module has ``build(cells, matrix)`` and ``draw(data, matrix, remark)``."""

    def build(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """See :class:`Figure`."""
        module = importlib.import_module(f"workflow.artifacts.{self.module}")
        return module.build(cells, matrix)  # type: ignore[no-any-return]

    def draw(self, data: pd.DataFrame, matrix: Matrix, remark: str = "") -> figure.Figure:
        """See :class:`Figure`."""
        module = importlib.import_module(f"workflow.artifacts.{self.module}")
        return module.draw(data, matrix, remark)  # type: ignore[no-any-return]

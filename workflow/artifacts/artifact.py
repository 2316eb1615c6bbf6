"""What an artifact is: a declaration that rules and builders read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rst_core.spec import Cell
from workflow.matrix import Matrix

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Artifact:
    """A table or figure: the cells it needs, and pure functions of their results.

    Attributes:
        name: file name, such as ``table3`` or ``fig7``.
        title: one line.
        caption: what it shows, with the paper's section.
        experiments: whose cells it needs.
        module: module under ``workflow.artifacts`` with ``build(cells, matrix)``, and with
            ``draw(data, matrix)`` for a figure or ``row_label`` and ``column_label`` for a
            table. Named, not imported: the Snakefile is read by every job, and must not
            load pandas.
    """

    name: str
    title: str
    caption: str
    experiments: tuple[str, ...]
    module: str

    def cells(self, matrix: Matrix) -> list[Cell]:
        """The cells that the artifact reads, each once."""
        found = (cell for e in self.experiments for cell in matrix.cells(e))
        return list(dict.fromkeys(found))


Build = Callable[["pd.DataFrame", Matrix], "pd.DataFrame"]
Draw = Callable[["pd.DataFrame", Matrix], "Figure"]

"""All artifacts. Adding a table or figure is adding an entry here, and no rule."""

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


TABLES = {
    a.name: a
    for a in (
        Artifact(
            "table3",
            "Table 3: R2S under PGD-20",
            "Natural and PGD-20 accuracy of adversarially trained dense networks and of R2S, "
            "whose attacker and defender each draw a ticket uniformly [6.3].",
            ("dense", "r2s"),
            "r2s",
        ),
    )
}

FIGURES = {
    a.name: a
    for a in (
        Artifact(
            "fig1",
            "Figure 1 (a–d): RSTs exist",
            "Robust (PGD-20) and natural accuracy of RSTs over the weight remaining ratio [4.2].",
            ("dense", "existence"),
            "existence",
        ),
        Artifact(
            "fig7",
            "Figure 7: adversarial transferability between RSTs",
            "Robust accuracy of the RST of each column on images made against the RST of each "
            "row, all from one randomly initialised network [6.1].",
            ("transfer",),
            "transferability",
        ),
    )
}

Build = Callable[["pd.DataFrame", Matrix], "pd.DataFrame"]
Draw = Callable[["pd.DataFrame", Matrix], "Figure"]

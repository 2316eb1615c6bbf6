"""A figure as the paper draws it: panels, and the series in each. Declarations only.

Nothing here loads pandas or matplotlib: the Snakefile reads it in every job.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rst_core.spec import Cell
from rst_core.vocabulary import Init, Pattern, SearchMethod
from workflow.artifacts import artifact
from workflow.config import Experiment, ModelKind
from workflow.matrix import Matrix

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Series:
    """One kind of model in a panel; what is left out has the paper's default [4.1].

    Attributes:
        name: how it is keyed in the CSV and looked up in ``style.LOOKS``.
        experiment: the experiment of the config that measures it.
        model: the word for the model in the config.
        network: role of the network.
        eps: of search and training, and of the attack, in 1/255.
    """

    name: str
    experiment: str
    model: ModelKind = "rst"
    network: str = "resnet18"
    init: Init = Init.SIGNED_KAIMING_CONSTANT
    pattern: Pattern = Pattern.ELEMENT
    method: SearchMethod = SearchMethod.PGD7
    eps: float = 8.0

    def planned(self, dataset: str, matrix: Matrix) -> Experiment | None:
        """The experiment narrowed to this series on a dataset role; None if it is not in it."""
        experiment = matrix.config.experiments[self.experiment]
        axes = {
            "models": self.model,
            "networks": self.network,
            "datasets": dataset,
            "inits": self.init,
            "patterns": self.pattern,
            "methods": self.method,
            "eps": self.eps,
        }
        if any(value not in getattr(experiment, axis) for axis, value in axes.items()):
            return None
        return experiment.model_copy(update={axis: [value] for axis, value in axes.items()})


@dataclass(frozen=True)
class Panel:
    """One sub-figure.

    Attributes:
        letter: as in the paper; empty where the figure has one panel only.
        dataset: role of the dataset.
        series: in the paper's order.
        measure: ``robust``, ``natural`` or ``feature_distance``.
        dense: networks trained adversarially as they are, the dashed baselines.
        zoom: whether the low keep ratios are drawn a second time, enlarged.
    """

    letter: str
    dataset: str
    series: tuple[Series, ...]
    measure: str = "robust"
    dense: tuple[Series, ...] = ()
    zoom: bool = False

    def planned(self, matrix: Matrix) -> list[tuple[Series, Experiment]]:
        """The series that the config's matrix has; baselines only beside one that it has."""
        found = self._planned(self.series, matrix)
        return found + self._planned(self.dense, matrix) if found else []

    def lacking(self, matrix: Matrix) -> list[Series]:
        """The series that the config's matrix lacks, of a panel of which it has some."""
        planned = [series for series, _ in self.planned(matrix)]
        return [s for s in self.series if s not in planned] if planned else []

    def _planned(
        self, series: tuple[Series, ...], matrix: Matrix
    ) -> list[tuple[Series, Experiment]]:
        narrowed = [(s, s.planned(self.dataset, matrix)) for s in series]
        return [(s, experiment) for s, experiment in narrowed if experiment is not None]

    @property
    def networks(self) -> list[str]:
        """Roles of the networks it compares, each once."""
        return list(dict.fromkeys(s.network for s in self.series))

    @property
    def eps(self) -> float:
        """The eps that all of its series share, in 1/255."""
        (eps,) = {s.eps for s in self.series}
        return eps


@dataclass(frozen=True)
class PanelFigure(artifact.Figure):
    """A figure of the paper: an artifact that is made of panels."""

    panels: tuple[Panel, ...]

    def cells(self, matrix: Matrix) -> list[Cell]:
        """The cells that its panels show and no others, each once."""
        return list(dict.fromkeys(self._cells(matrix)))

    def _cells(self, matrix: Matrix) -> Iterator[Cell]:
        for panel in self.panels:
            for series, experiment in panel.planned(matrix):
                only = {series.experiment: experiment}
                config = matrix.config.model_copy(update={"experiments": only})
                yield from Matrix(config).cells(series.experiment)

    def build(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """The data behind the figure, one row a number.

        ``cells`` may hold more than the figure reads, such as other seeds, or less.
        """
        own = {cell.path for cell in self.cells(matrix)}
        cells = cells[cells["cell"].isin(own)]
        module = importlib.import_module(f"workflow.artifacts.{self.module}")
        return module.build(self, cells, matrix)  # type: ignore[no-any-return]

    def draw(self, data: pd.DataFrame, matrix: Matrix, remark: str = "") -> Figure:
        """The picture of :meth:`build`'s data; ``remark`` goes before the line under it."""
        module = importlib.import_module(f"workflow.artifacts.{self.module}")
        return module.draw(self, data, matrix, remark)  # type: ignore[no-any-return]

"""What an artifact is: a declaration that rules and builders read."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from rst_core.identity import Cell
from workflow.config import Experiment
from workflow.matrix import Matrix

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib import figure


@dataclass(frozen=True)
class ExperimentSlice:
    """What an artifact shows of one experiment.

    Attributes:
        experiment: its name in the config.
        narrowed: the experiment with nothing in it that is not shown.
        attacked: whether accuracies under its attacks are shown, or its feature distances; else
            it is natural accuracies or weights alone, which ride along.
    """

    experiment: str
    narrowed: Experiment
    attacked: bool = True


def narrowed(experiment: Experiment, **axes: Container[Any]) -> dict[str, list[Any]]:
    """Of some axes of an experiment the values that are among others, in its order."""
    return {a: [v for v in getattr(experiment, a) if v in among] for a, among in axes.items()}


def cells_of(name: str, experiment: Experiment, matrix: Matrix) -> list[Cell]:
    """The cells of an experiment that the config has otherwise, or not at all."""
    only = {"experiments": {name: experiment}}
    return Matrix(matrix.config.model_copy(update=only)).cells(name)


@dataclass(frozen=True)
class Artifact(ABC):
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

    @abstractmethod
    def slices(self, matrix: Matrix) -> Iterator[ExperimentSlice]:
        """What it shows of which experiment."""

    def cells(self, matrix: Matrix, *, attacked: bool = False) -> list[Cell]:
        """The cells that it shows and no others, each once.

        ``attacked``: only those whose accuracy under attack, or feature distance, is shown.
        """
        found: dict[Cell, None] = {}
        for one in self.slices(matrix):
            if one.attacked or not attacked:
                found |= dict.fromkeys(cells_of(one.experiment, one.narrowed, matrix))
        return list(found)


@dataclass(frozen=True)
class Figure(Artifact):
    """An artifact that is drawn; its module has ``build`` and ``draw``.

    Attributes:
        shown: what it shows of its experiments; left out: all of them.
    """

    shown: Callable[[Matrix], Iterator[ExperimentSlice]] | None = field(default=None, kw_only=True)

    def slices(self, matrix: Matrix) -> Iterator[ExperimentSlice]:
        """See :class:`Artifact`."""
        if self.shown is not None:
            return self.shown(matrix)
        return (ExperimentSlice(name, matrix.config.experiments[name]) for name in self.experiments)

    def build(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """The data behind it, one row a number, from a frame that may hold more or less."""
        return self._drawn_by.build(self, cells, matrix)  # type: ignore[no-any-return]

    def draw(self, data: pd.DataFrame, matrix: Matrix, remark: str = "") -> figure.Figure:
        """The picture of :meth:`build`'s data; ``remark`` goes before the line under it."""
        return self._drawn_by.draw(self, data, matrix, remark)  # type: ignore[no-any-return]

    @property
    def _drawn_by(self) -> ModuleType:
        return importlib.import_module(f"workflow.artifacts.figures.{self.module}")

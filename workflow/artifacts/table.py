"""What a table is: blocks of rows and columns, and where they stand. Declarations only.

Nothing here loads pandas or matplotlib: the Snakefile reads it in every job.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from rst_core.spec import Cell, format_number
from workflow.artifacts.artifact import Artifact
from workflow.artifacts.keys import ColumnKey, RowKey
from workflow.config import Experiment, Measurement
from workflow.matrix import Matrix

if TYPE_CHECKING:
    import pandas as pd

    from workflow.artifacts.places import Place

#: Columns that count something, and are on no dataset.
COUNTS = ("parameters_m", "network_parameters_m", "sparsity_percent")


@dataclass(frozen=True)
class Block:
    """Rows times columns, out of one experiment of the config.

    Attributes:
        experiment: whose axes and cells they are.
        rows: words of :class:`RowKey`: ``dense``, ``rst``, …; ``r2s`` is R2S over the
            experiment's candidate set, ``r2s_sets`` over each of its sets.
        columns: ``natural``, ``robust``, a count (``dataset/`` before it names the dataset), or
            ``evaluate``, ``transfer``, ``adaptive``: every attack that the experiment makes so.
        only: values to which axes of the experiment are narrowed, by the axis's name.
        attacks: names to which its attacks are narrowed; empty leaves all.
        vary: axes whose values the row's key names: ``eps``, ``patterns``, ``methods``.
    """

    experiment: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    attacks: tuple[str, ...] = ()
    vary: tuple[str, ...] = ()

    def narrowed(self, matrix: Matrix) -> Experiment:
        """The experiment with nothing in it that the block does not show."""
        experiment = matrix.config.experiments[self.experiment]
        kinds = tuple(map(_kind, self.rows))
        update: dict[str, Any] = {
            axis: [value for value in getattr(experiment, axis) if value in allowed]
            for axis, allowed in {"models": kinds, **self.only}.items()
        }
        if self.attacks:
            update |= {
                how: [m for m in getattr(experiment, how) if m.attack in self.attacks]
                for how in ("evaluate", "transfer", "adaptive")
            }
        return experiment.model_copy(update=update)

    def cells(self, matrix: Matrix) -> list[Cell]:
        """The cells that it is made of."""
        only = {self.experiment: self.narrowed(matrix)}
        config = matrix.config.model_copy(update={"experiments": only})
        return Matrix(config).cells(self.experiment)

    def keys(self, matrix: Matrix) -> Iterator[tuple[RowKey, ColumnKey]]:
        """Row and column of each of its numbers."""
        experiment = self.narrowed(matrix)
        for network, dataset, eps, pattern, method in product(
            experiment.networks,
            experiment.datasets,
            experiment.eps,
            experiment.patterns,
            experiment.methods,
        ):
            shown = {
                "eps": f"eps{format_number(eps)}",
                "patterns": pattern.value,
                "methods": method.value,
            }
            variants = tuple(shown[axis] for axis in self.vary)
            words = [word for word in self.rows if _kind(word) in experiment.models]
            for word, column in product(words, self._columns(experiment, dataset, eps)):
                for row in _rows(experiment, network, word):
                    yield RowKey(row.network, row.model, row.keep_ratios, variants), column

    def _columns(self, experiment: Experiment, dataset: str, eps: float) -> Iterator[ColumnKey]:
        for column in self.columns:
            if column in COUNTS:
                yield ColumnKey(column)
            elif column.removeprefix("dataset/") in COUNTS:
                yield ColumnKey(column.removeprefix("dataset/"), dataset)
            elif column in ("natural", "robust"):
                yield ColumnKey(column, dataset)
            else:
                measurements: list[Measurement] = getattr(experiment, column)
                for measurement in measurements:
                    for size in measurement.sizes(eps):
                        yield ColumnKey(measurement.attack, dataset, size)


def _kind(word: str) -> str:
    return RowKey("", word.removesuffix("_sets")).kind


def _rows(experiment: Experiment, network: str, word: str) -> Iterator[RowKey]:
    if word.startswith("dense") or word == "r2s":
        yield RowKey(network, word)
    elif word.endswith("r2s_sets"):
        for ratios in experiment.candidate_sets:
            yield RowKey(network, word.removesuffix("_sets"), tuple(ratios))
    else:
        for keep_ratio in experiment.keep_ratios:
            yield RowKey(network, word, (keep_ratio,))


@dataclass(frozen=True)
class Table(Artifact):
    """A table: its blocks, and which heads its numbers stand under.

    Attributes:
        blocks: its rows and columns; the paper's own stand beside them.
        stub: heads of the rows, from ``workflow.artifacts.heads``.
        heads: heads of the columns, from top to bottom.
        order: what rows are ordered by before the stub; rules stand between its groups, or
            between those of the stub's first head.
        incomparable: columns in which the paper counts something else than we do.
    """

    experiments: tuple[str, ...] = field(init=False)
    module: str = "tabulation"
    blocks: tuple[Block, ...] = ()
    stub: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    incomparable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        used = dict.fromkeys(block.experiment for block in self.blocks)
        object.__setattr__(self, "experiments", tuple(used))

    def cells(self, matrix: Matrix) -> list[Cell]:
        """The cells that its numbers are made of and no others, each once."""
        return list(dict.fromkeys(cell for block in self.blocks for cell in block.cells(matrix)))

    def places(self, matrix: Matrix) -> list[Place]:
        """Its numbers in order, and where each stands."""
        module = importlib.import_module(f"workflow.artifacts.{self.module}")
        return module.places(self, matrix)  # type: ignore[no-any-return]

    def build(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """One row a number."""
        from workflow.artifacts.selection import tidy

        return tidy(self.name, (p.number for p in self.places(matrix)), cells, matrix)

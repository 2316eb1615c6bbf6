"""What a table is: blocks of rows and columns, and where they stand. Declarations only.

Nothing here loads pandas or matplotlib: the Snakefile reads it in every job.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from rst_core.axes import METHOD_AXES, METHOD_KEYS
from workflow.artifacts.artifact import Artifact, ExperimentSlice, narrowed
from workflow.artifacts.tables.keys import ColumnKey, RowKey, variant
from workflow.config import Experiment
from workflow.config_attacks import Measurement
from workflow.matrix import Matrix

if TYPE_CHECKING:
    import pandas as pd

    from workflow.artifacts.tables.grid import Position

#: Columns that count something, and are on no dataset.
COUNTS = ("parameters_m", "network_parameters_m", "sparsity_percent")

#: Ways of attacking, which are columns.
ATTACKS = ("evaluate", "transfer", "adaptive")


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
        vary: axes whose values the row's key names: ``eps``, ``patterns``, ….
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
        update = narrowed(experiment, models=tuple(map(_kind, self.rows)), **self.only)
        # A figure shows all values of its experiments, a block the first unless it varies them;
        # weights are counted alike whatever they are trained for.
        fixed = () if self.counts else METHOD_KEYS
        update |= {a: getattr(experiment, a)[:1] for a in fixed if a not in self.vary}
        sets = experiment.candidate_sets
        if not any(row.endswith("r2s_sets") for row in self.rows):
            sets = [list(experiment.candidate_set)] if "r2s" in self.rows else []
        update["candidate_sets"] = sets
        if sets:
            update |= narrowed(experiment, keep_ratios={k for ratios in sets for k in ratios})
        if self.attacked:
            update |= self._attacks(experiment)
        found: Experiment = experiment.model_copy(update=update)
        return found

    def _attacks(self, experiment: Experiment) -> dict[str, list[Any]]:
        """The measurements that its columns show; natural accuracy rides along with them."""
        unshown = ("adaptive_transfer", "feature_distance")
        shown: dict[str, list[Any]] = {how: [] for how in (*ATTACKS, *unshown)}
        for how in set(self.columns).intersection(ATTACKS):
            shown[how] = list(getattr(experiment, how))
        if "robust" in self.columns:
            from_matrix = all("r2s" in row for row in self.rows)  # R2S's mean is of transfer rows
            how = "evaluate" if experiment.evaluate and not from_matrix else "transfer"
            shown[how] = [m.at(experiment.eps[0]) for m in getattr(experiment, how)[:1]]
        if any("r2s" in row for row in self.rows):
            shown["transfer"] = [m for m in shown["transfer"] if m.to == "tickets"]
        else:
            first = shown["transfer"][:1]  # the only one that Table 7 has room for
            shown["transfer"] = [m.at(m.sizes(experiment.eps[0])[0]) for m in first]
        if self.attacks:
            shown = {how: [m for m in ms if m.attack in self.attacks] for how, ms in shown.items()}
        return shown

    @property
    def counts(self) -> bool:
        """Whether it counts weights and shows nothing else."""
        return all(column.rpartition("/")[2] in COUNTS for column in self.columns)

    @property
    def attacked(self) -> bool:
        """Whether it shows accuracies under attack."""
        return not self.counts and set(self.columns) != {"natural"}

    def keys(self, matrix: Matrix) -> Iterator[tuple[RowKey, ColumnKey]]:
        """Row and column of each of its numbers."""
        experiment = self.narrowed(matrix)
        values = (getattr(experiment, key) for key in METHOD_KEYS)
        for network, dataset, *point in product(experiment.networks, experiment.datasets, *values):
            axes = {axis.key: (axis, value) for axis, value in zip(METHOD_AXES, point, strict=True)}
            variants = tuple(variant(*axes[key]) for key in self.vary)
            words = [word for word in self.rows if _kind(word) in experiment.models]
            for word, column in product(words, self._columns(experiment, dataset, axes["eps"][1])):
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
    """A table: its blocks, and which headers its numbers stand under.

    Attributes:
        blocks: its rows and columns; the paper's own stand beside them.
        stub: headers of the rows, from ``workflow.artifacts.tables.headers``.
        headers: headers of the columns, from top to bottom.
        order: what rows are ordered by before the stub; rules stand between its groups, or
            between those of the stub's first.
        incomparable: columns in which the paper counts something else than we do.
    """

    experiments: tuple[str, ...] = field(init=False)
    module: str = "tabulation"
    blocks: tuple[Block, ...] = ()
    stub: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    incomparable: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        used = dict.fromkeys(block.experiment for block in self.blocks)
        object.__setattr__(self, "experiments", tuple(used))

    def slices(self, matrix: Matrix) -> Iterator[ExperimentSlice]:
        """See :class:`Artifact`."""
        return (ExperimentSlice(b.experiment, b.narrowed(matrix), b.attacked) for b in self.blocks)

    def positions(self, matrix: Matrix) -> list[Position]:
        """Its numbers in order, and where each stands."""
        module = importlib.import_module(f"workflow.artifacts.tables.{self.module}")
        return module.positions(self, matrix)  # type: ignore[no-any-return]

    @property
    def titles(self) -> tuple[str, ...]:
        """What stands over the labels of its rows."""
        from workflow.artifacts.tables.headers import TITLES

        return tuple(TITLES.get(name, name) for name in self.stub)

    def build(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """One row a number."""
        from workflow.artifacts.numbers.selection import tidy

        return tidy(self.name, (p.number for p in self.positions(matrix)), cells, matrix)

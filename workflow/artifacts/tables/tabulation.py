"""From a table's declaration to its numbers in order: the config's, and the paper's beside them."""

from __future__ import annotations

from rst_core.axes import KINDS
from workflow.artifacts.numbers.models import Models, first_values
from workflow.artifacts.numbers.selection import (
    NATURAL,
    Measure,
    Number,
    Selector,
    adaptive,
    counted,
    evaluated,
    switched,
)
from workflow.artifacts.numbers.summary import is_marked, paper_values
from workflow.artifacts.tables.grid import Position
from workflow.artifacts.tables.headers import Labels
from workflow.artifacts.tables.keys import ColumnKey, RowKey, values_of
from workflow.artifacts.tables.table import COUNTS, Table
from workflow.config import Experiment
from workflow.matrix import Matrix

#: The candidate set of Tables 3 to 5: "[5%, 7%, 10%, 15%, 20%, 30%]" [6.3].
PAPER_CANDIDATES = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3)

_COUNTED = dict(zip(COUNTS, ("kept", "all", "sparsity"), strict=True))

Keys = tuple[RowKey, ColumnKey]


def positions(table: Table, matrix: Matrix) -> list[Position]:
    """The numbers of a table in its order, each with the headers it stands under.

    What the paper has and the config has not is there too.
    """
    found = _published(table, matrix) | {
        keys: block.narrowed(matrix) for block in table.blocks for keys in block.keys(matrix)
    }
    if not found:
        return [_nothing(table, matrix)]
    headers = _column_headers(table, list(found), matrix)
    attacks = tuple(dict.fromkeys(column.measure for _, column in found))
    networks = frozenset(row.network for row, _ in found)
    positions = []
    for (row, column), experiment in found.items():
        labels = Labels(row, column, matrix, attacks, networks)
        order, row_rank = labels.under((*table.order, *table.stub))
        above, column_rank = labels.under(headers)
        number = _number(table, row, column, experiment, matrix)
        group = order[0] if len(table.stub) > 1 else ""
        stub = order[len(table.order) :]
        positions.append(Position(number, stub, row_rank, above, column_rank, group))
    return sorted(positions, key=lambda position: (position.row_rank, position.column_rank))


def _nothing(table: Table, matrix: Matrix) -> Position:
    """The only number of a table of which neither the config nor the paper has any."""
    reason, role = "not in this matrix", table.blocks[0].narrowed(matrix).datasets[0]
    labels, above = (reason, *[""] * (len(table.stub) - 1)), ("",) * len(table.headers)
    return Position(Number(reason, reason, None, role=role), labels, (0,), above, (0,))


def _published(table: Table, matrix: Matrix) -> dict[Keys, Experiment]:
    """Keys of the paper's numbers, with the experiment that each would come from."""
    keys = (
        (RowKey.parse(row), ColumnKey.parse(column)) for row, column in paper_values(table.name)
    )
    return {(row, column): _likeliest(table, row, matrix) for row, column in keys}


def _likeliest(table: Table, row: RowKey, matrix: Matrix) -> Experiment:
    """The first experiment of a table that has such models, and if it may be such a network."""
    of = {block.experiment: matrix.config.experiments[block.experiment] for block in table.blocks}
    words = {row.model, f"{row.model}_sets"}
    alike = [of[block.experiment] for block in table.blocks if words & set(block.rows)]
    same = [experiment for experiment in alike if row.network in experiment.networks]
    return (same or alike or list(of.values()))[0]


def _column_headers(table: Table, keys: list[Keys], matrix: Matrix) -> tuple[str, ...]:
    """The table's headers; above them the dataset where it needs a mark and no header has it."""
    roles = {column.dataset for _, column in keys if column.dataset}
    named = "dataset" in (*table.stub, *table.headers)
    needed = not named and any(is_marked(matrix, role) for role in roles)
    return ("dataset", *table.headers) if needed else table.headers


def _number(
    table: Table, row: RowKey, column: ColumnKey, experiment: Experiment, matrix: Matrix
) -> Number:
    comparable = column.measure not in table.incomparable
    if row.switches and not row.keep_ratios:
        comparable = experiment.candidate_set == PAPER_CANDIDATES
    return Number(
        str(row),
        str(column),
        selector(row, column, experiment, matrix),
        comparable,
        column.dataset or experiment.datasets[0],
    )


def selector(
    row: RowKey, column: ColumnKey, experiment: Experiment, matrix: Matrix
) -> Selector | None:
    """What a number of these keys is made of; None if it is of something that we do not make."""
    if row.kind not in KINDS:
        return None
    dataset = column.dataset or experiment.datasets[0]
    axes = first_values(experiment) | values_of(row.variants)
    keep_ratio = row.keep_ratios[0] if row.keep_ratios and not row.switches else None
    source, seeds = experiment.transferred_from, experiment.seeds
    models = Models(row.network, dataset, row.kind, keep_ratio, axes, source, seeds)
    if column.measure in _COUNTED:
        return counted(models, _COUNTED[column.measure])
    measure = _measure(column, experiment, axes["trained_eps"])
    if not row.switches:
        return evaluated(models, measure)
    keep_ratios = row.keep_ratios or experiment.candidate_set
    entry = matrix.config.attacks.get(column.measure)
    if entry and entry.method.on_sets:
        return adaptive(models, keep_ratios, measure)
    return switched(models, keep_ratios, measure)


def _measure(column: ColumnKey, experiment: Experiment, eps: float) -> Measure:
    if column.measure == "natural":
        return NATURAL
    if column.measure == "robust":
        return Measure((experiment.evaluate or experiment.transfer)[0].attack, eps)
    return Measure(column.measure, column.eps)

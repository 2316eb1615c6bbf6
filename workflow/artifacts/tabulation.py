"""From a table's declaration to its numbers in order: the config's, and the paper's beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

from rst_core.vocabulary import AttackMethod, Pattern, SearchMethod
from workflow.artifacts.heads import HEADS, Context, Head
from workflow.artifacts.keys import ColumnKey, RowKey
from workflow.artifacts.places import Place
from workflow.artifacts.selection import (
    NATURAL,
    Adaptive,
    Counted,
    Evaluated,
    Measure,
    Models,
    Number,
    Selector,
    Switched,
    experiment_axes,
)
from workflow.artifacts.summary import is_marked, paper_values
from workflow.artifacts.table import COUNTS, Table
from workflow.config import Experiment, ModelKind
from workflow.matrix import Matrix

#: The candidate set of Tables 3 to 5: "[5%, 7%, 10%, 15%, 20%, 30%]" [6.3].
PAPER_CANDIDATES = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3)

_COUNTED = dict(zip(COUNTS, ("kept", "all", "sparsity"), strict=True))

Keys = tuple[RowKey, ColumnKey]


def places(table: Table, matrix: Matrix) -> list[Place]:
    """The numbers of a table in its order, each with the heads it stands under.

    What the paper has and the config has not is there too.
    """
    found = _published(table, matrix) | _planned(table, matrix)
    names = _column_heads(table, list(found), matrix)
    columns = [column for _, column in (*_published(table, matrix), *found)]
    context = Context(
        matrix,
        tuple(dict.fromkeys(column.measure for column in columns)),
        frozenset(row.network for row, _ in found),
    )
    stub, heads, order = (
        [HEADS[name] for name in level]
        for level in (table.stub, names, (*table.order, *table.stub))
    )

    def ranks(levels: list[Head], keys: Keys) -> tuple[Any, ...]:
        return tuple(head.rank(*keys, context) for head in levels)

    def labels(levels: list[Head], keys: Keys) -> tuple[str, ...]:
        return tuple(head.label(*keys, context) for head in levels)

    return [
        Place(
            _number(table, keys, found[keys], matrix),
            labels(stub, keys),
            ranks(order, keys),
            labels(heads, keys),
            ranks(heads, keys),
            tuple(head.title for head in stub),
            order[0].label(*keys, context) if len(stub) > 1 else "",
        )
        for keys in sorted(found, key=lambda keys: (ranks(order, keys), ranks(heads, keys)))
    ]


def _planned(table: Table, matrix: Matrix) -> dict[Keys, Experiment]:
    """Keys of the config's own numbers, with the experiment that each comes from."""
    return {keys: block.narrowed(matrix) for block in table.blocks for keys in block.keys(matrix)}


def _published(table: Table, matrix: Matrix) -> dict[Keys, Experiment]:
    """Keys of the paper's numbers, with the experiment that each would come from."""
    found: dict[Keys, Experiment] = {}
    for names in paper_values(table.name):
        row, column = RowKey.parse(names[0]), ColumnKey.parse(names[1])
        found[row, column] = _likeliest(table, row, matrix)
    return found


def _likeliest(table: Table, row: RowKey, matrix: Matrix) -> Experiment:
    """The first experiment of a table that has such models, and if it may be such a network."""
    of = {block.experiment: matrix.config.experiments[block.experiment] for block in table.blocks}
    words = {row.model, f"{row.model}_sets"}
    alike = [of[block.experiment] for block in table.blocks if words & set(block.rows)]
    same = [experiment for experiment in alike if row.network in experiment.networks]
    return (same or alike or list(of.values()))[0]


def _column_heads(table: Table, keys: list[Keys], matrix: Matrix) -> tuple[str, ...]:
    """The table's heads; above them the dataset where it needs a mark and has no other place."""
    roles = {column.dataset for _, column in keys if column.dataset}
    named = "dataset" in (*table.stub, *table.heads)
    needed = not named and any(is_marked(matrix, role) for role in roles)
    return ("dataset", *table.heads) if needed else table.heads


def _number(table: Table, keys: Keys, experiment: Experiment, matrix: Matrix) -> Number:
    row, column = keys
    comparable = column.measure not in table.incomparable
    if row.switches and not row.keep_ratios:
        comparable = candidate_set(experiment) == PAPER_CANDIDATES
    return Number(
        str(row),
        str(column),
        selector(row, column, experiment, matrix),
        comparable,
        column.dataset or experiment.datasets[0],
    )


def candidate_set(experiment: Experiment) -> tuple[float, ...]:
    """The set that an experiment's R2S switches over where a row names none."""
    sets = experiment.candidate_sets or [experiment.keep_ratios]
    return tuple(sets[0])


def selector(
    row: RowKey, column: ColumnKey, experiment: Experiment, matrix: Matrix
) -> Selector | None:
    """What a number of these keys is made of; None if it is of something that we do not make."""
    if row.kind not in get_args(ModelKind):
        return None
    dataset = column.dataset or experiment.datasets[0]
    axes = experiment_axes(experiment) | _varied(row)
    source = experiment.transferred_from
    models = Models(row.network, dataset, row.kind, **axes, pretrained_on=source)
    if column.measure in _COUNTED:
        return Counted(_with_ratio(models, row), _COUNTED[column.measure])
    measure = _measure(column, experiment, axes["eps"])
    if not row.switches:
        return Evaluated(_with_ratio(models, row), measure)
    keep_ratios = row.keep_ratios or candidate_set(experiment)
    entry = matrix.config.attacks.get(column.measure)
    if entry and entry.method in (AttackMethod.EOT, AttackMethod.ENSEMBLE):
        return Adaptive(models, keep_ratios, measure)
    return Switched(models, keep_ratios, measure)


def _with_ratio(models: Models, row: RowKey) -> Models:
    return replace(models, keep_ratio=row.keep_ratios[0] if row.keep_ratios else None)


def _measure(column: ColumnKey, experiment: Experiment, eps: float) -> Measure:
    if column.measure == "natural":
        return NATURAL
    if column.measure == "robust":
        return Measure((experiment.evaluate or experiment.transfer)[0].attack, eps)
    return Measure(column.measure, column.eps)


def _varied(row: RowKey) -> dict[str, Any]:
    """The axes that a row's variants name."""
    found: dict[str, Any] = {}
    for variant in row.variants:
        if variant.startswith("eps"):
            found["eps"] = float(variant.removeprefix("eps"))
        elif variant in set(Pattern):
            found["pattern"] = variant
        else:
            found["method"] = SearchMethod(variant).value
    return found

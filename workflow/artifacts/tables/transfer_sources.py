"""Table 7: attacks that transfer to RSTs from dense networks and from other seeds [E]."""

from __future__ import annotations

from workflow.artifacts.numbers.models import Models, first_values
from workflow.artifacts.numbers.selection import Measure, Number, Selector, transferred
from workflow.artifacts.numbers.summary import is_marked, paper_values, short_label
from workflow.artifacts.tables.grid import Position
from workflow.artifacts.tables.headers import percent
from workflow.artifacts.tables.table import Table
from workflow.config import Experiment
from workflow.matrix import Matrix

_DENSE = {"dense_natural": "Dense\nNat. Trained", "dense_adversarial": "Dense\nAdv. Trained"}
#: The row of RSTs that differ from the target in the seed alone.
_SEEDS = "same_ratio_other_seed"


def positions(table: Table, matrix: Matrix) -> list[Position]:
    """A row for each source, a column for each target; the RSTs are those of Figure 7."""
    dense, seeds = (block.narrowed(matrix) for block in table.blocks)
    papers = {float(column) for _, column in paper_values(table.name) if column not in _DENSE}
    ratios = sorted(
        {*matrix.config.experiments["transfer"].keep_ratios, *seeds.keep_ratios, *papers}
    )
    rsts = {f"{k:g}": f"RST\n@{percent(k)}" for k in ratios}
    columns = {target: rank for rank, target in enumerate([*rsts, *_DENSE])}
    role = dense.datasets[0]
    above = (short_label(matrix, role),) if is_marked(matrix, role) else ()
    rows = [(source, dense, [*rsts, *_DENSE]) for source in _DENSE] + [(_SEEDS, seeds, [*rsts])]
    return [
        Position(
            Number(source, target, _selector(source, target, experiment)),
            ((_DENSE | {_SEEDS: "Same Ratio"})[source].replace("\n", " "),),
            (line,),
            (*above, (rsts | _DENSE)[target]),
            (columns[target],),
        )
        for line, (source, experiment, targets) in enumerate(rows)
        for target in targets
    ]


def _selector(source: str, target: str, experiment: Experiment) -> Selector:
    network, role, measurement = (
        experiment.networks[0], experiment.datasets[0], experiment.transfer[0]
    )  # fmt: skip
    axes, seeds = first_values(experiment), experiment.seeds
    evaluated = (
        Models(network, role, target, axes=axes, seeds=seeds)
        if target in _DENSE
        else Models(network, role, "rst", float(target), axes, seeds=seeds)
    )
    attacked = evaluated if source == _SEEDS else Models(network, role, source, axes=axes)
    measure = Measure(measurement.attack, measurement.sizes(experiment.eps[0])[0])
    return transferred(attacked, evaluated, measure, measurement.to)

"""Table 7: attacks that transfer to RSTs from dense networks and from other seeds [E]."""

from __future__ import annotations

from workflow.artifacts.heads import percent
from workflow.artifacts.places import Place
from workflow.artifacts.selection import Measure, Models, Number, Transferred
from workflow.artifacts.summary import is_marked, paper_values, short_label
from workflow.artifacts.table import Table
from workflow.matrix import Matrix

_DENSE = {"dense_natural": "Dense\nNat. Trained", "dense_adversarial": "Dense\nAdv. Trained"}
#: The row of RSTs that differ from the judged one in the seed alone.
_SEEDS = "same_ratio_other_seed"


def places(table: Table, matrix: Matrix) -> list[Place]:
    """A row for each source, a column for each judged model; the sources' RSTs are Figure 7's."""
    dense, seeds = (matrix.config.experiments[block.experiment] for block in table.blocks)
    ratios = sorted(
        {*matrix.config.experiments["transfer"].keep_ratios, *seeds.keep_ratios, *_paper_ratios()}
    )
    columns = {f"{k:g}": f"RST\n@{percent(k)}" for k in ratios} | _DENSE
    made = []
    for line, (source, label) in enumerate({**_DENSE, _SEEDS: "Same Ratio"}.items()):
        experiment = seeds if source == _SEEDS else dense
        network, role = experiment.networks[0], experiment.datasets[0]
        head = (short_label(matrix, role),) if is_marked(matrix, role) else ()
        measurement = experiment.transfer[0]
        measure = Measure(measurement.attack, measurement.sizes(experiment.eps[0])[0])
        for rank, (target, above) in enumerate(columns.items()):
            judged = (
                Models(network, role, target)
                if target in _DENSE
                else Models(network, role, "rst", float(target))
            )
            if source == _SEEDS and target in _DENSE:
                continue
            attacker = judged if source == _SEEDS else Models(network, role, source)
            selector = Transferred(attacker, judged, measure, measurement.to)
            made.append(
                Place(
                    Number(source, target, selector),
                    (label.replace("\n", " "),),
                    (line,),
                    (*head, above),
                    (rank,),
                    ("Attack Source",),
                )
            )
    return made


def _paper_ratios() -> list[float]:
    return [float(column) for _, column in paper_values("table7") if column not in _DENSE]

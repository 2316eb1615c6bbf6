"""Whether a ticket's batch-norm statistics suit its mask: ``python -m measurements.batch_norm``.

They are running averages of the search, whose mask went on changing. Here they are averaged anew
over all training images, and the attack of the ticket's cell is made again on the first test
images, whose outcomes go into a file. Reads data/cifar10_jpeg.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from measurements.numbers import CELLS
from rst_core.data.sources import load_splits
from rst_core.identity import Evaluation, parse_cell
from rst_core.measures.evaluation import attack_and_evaluate, natural_outcomes
from rst_core.measures.features import estimate_batch_norm
from rst_core.models.files import load_model
from rst_core.records import pack_outcomes
from workflow.plan.project import Project

ROOT = Path(__file__).parents[1]
#: A row for each cell and measure, with the columns of the tidy frame.
OUTCOMES = Path(__file__).with_suffix(".csv")
_INIT = "resnet18_quarter/signed_kaiming_constant-seed0"
CELLS_OF = tuple(
    f"{run}/{_INIT}/rst-keep{keep}-element-fgsm_rs-eps8/best_val/pgd20-eps8.json"
    for run, keep in (("cifar10_50k", 0.05), ("cifar10_50k", 0.2), ("cifar10_50k_long", 0.2))
)
IMAGES = 1000


def main() -> None:
    """Write natural and PGD-20 outcomes with statistics that are averaged anew."""
    matrix = Project(ROOT, [ROOT / "measurements/cifar10_50k.yaml"]).matrix
    rows = []
    for path in CELLS_OF:
        cell = parse_cell(path)
        assert isinstance(cell, Evaluation)
        splits = load_splits(matrix.dataset(cell.model.network.dataset).images)
        model, test = load_model((CELLS / path).with_name("ticket.pt")), splits.test.first(IMAGES)
        estimate_batch_norm(model, splits.train)
        attacked = attack_and_evaluate(model, {"": model}, test, matrix.attack(cell))
        measured = {"natural": natural_outcomes(model, test), "robust": attacked.outcomes[""]}
        for measure, outcomes in measured.items():
            rows.append({"cell": path, "measure": measure, **pack_outcomes(outcomes.numpy())})
    pd.DataFrame(rows).to_csv(OUTCOMES, index=False)


if __name__ == "__main__":
    main()

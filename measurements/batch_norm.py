"""Whether a ticket's batch-norm statistics suit its mask: ``python -m measurements.batch_norm``.

They are running averages of the search, whose mask went on changing. Here they are averaged anew
over all training images, and accuracies on the first test images compared. Reads data/cifar10_jpeg.
"""

from __future__ import annotations

from pathlib import Path

from measurements.numbers import CELLS
from rst_core.data.sources import load_splits
from rst_core.identity import Evaluation, parse_cell
from rst_core.measures.evaluation import attack_and_evaluate, natural_outcomes
from rst_core.measures.features import estimate_batch_norm
from rst_core.models.files import load_model
from workflow.plan.project import Project
from workflow.text import table

ROOT = Path(__file__).parents[1]
_INIT = "resnet18_quarter/signed_kaiming_constant-seed0"
_ATTACKED = "best_val/pgd20-eps8.json"
CELLS_OF = tuple(
    f"{run}/{_INIT}/rst-keep{keep}-element-fgsm_rs-eps8/{_ATTACKED}"
    for run, keep in (("cifar10_50k", 0.05), ("cifar10_50k", 0.2), ("cifar10_50k_long", 0.2))
)
IMAGES = 1000


def main() -> None:
    """Print natural and PGD-20 accuracy with both statistics."""
    matrix = Project(ROOT, [ROOT / "measurements/cifar10_50k.yaml"]).matrix
    rows = []
    for path in CELLS_OF:
        cell = parse_cell(path)
        assert isinstance(cell, Evaluation)
        spec = matrix.attack(cell)
        splits = load_splits(matrix.dataset(cell.model.network.dataset).images)
        model, test = load_model((CELLS / path).with_name("ticket.pt")), splits.test.first(IMAGES)
        for statistics in ("of the search", "averaged anew"):
            if statistics == "averaged anew":
                estimate_batch_norm(model, splits.train)
            robust = attack_and_evaluate(model, {"": model}, test, spec).outcomes[""]
            shown = (natural_outcomes(model, test), robust)
            means = (f"{100 * float(part.float().mean()):.1f}" for part in shown)
            rows.append([path.removesuffix(f"/{_ATTACKED}"), statistics, *means])
    print(table(["ticket", "statistics", "natural, %", "PGD-20, %"], rows))


if __name__ == "__main__":
    main()

"""Memory of R2S and size of ticket files at the paper's size: ``python -m measurements.memory``.

PreActResNet-18 at full width, the candidate set of section 6.3, initial scores (the size of a
mask depends on its keep ratio only).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from rst_core.identity import Adversary, Network, Ticket
from rst_core.models.files import Head, batch_norm_statistics, save_model
from rst_core.models.networks import build_classifier, draw_weights
from rst_core.models.r2s import RandomSwitch
from rst_core.settings import NetworkSettings
from rst_core.training.trainee import MaskTrainee
from rst_core.vocabulary import Architecture, Init, Origin, Pattern, SearchMethod
from workflow.measured_page import fill
from workflow.text import table

PAGE = Path(__file__).parents[1] / "docs" / "measurements.md"

CANDIDATES = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3)


def main() -> None:
    """Fill in docs/measurements.md: R2S's overhead over the shared weights, and sizes of files."""
    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18)
    head = Head(10, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    network = Network("cifar10", "resnet18", Init.SIGNED_KAIMING_CONSTANT, 0)
    adversary = Adversary(SearchMethod.PGD7, 8.0)
    model = build_classifier(settings, head.classes, head.mean, head.std)
    draw_weights(model, network.init, network.seed)
    masks, sizes = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.pt"
        for keep_ratio in CANDIDATES:
            trainee = MaskTrainee(model, keep_ratio, Pattern.ELEMENT, 0)
            masks.append(trainee.masks())
            ticket = Ticket(network, Origin.RST, keep_ratio, Pattern.ELEMENT, adversary)
            save_model(path, ticket, settings, head, trainee.contents(), {})
            sizes.append(f"{path.stat().st_size / 1e6:.2f}")
        torch.save(model.state_dict(), path)
        weights = f"{path.stat().st_size / 1e6:.2f}"
    statistics = [batch_norm_statistics(model)] * len(masks)
    overhead = RandomSwitch(model, masks, statistics).overhead()
    header = ["file of", *(f"ticket, {keep_ratio:g}" for keep_ratio in CANDIDATES), "all weights"]
    masks_share, norms = (100 * overhead[f"{part}_a_ticket"] for part in ("masks", "batch_norms"))
    sentence = (
        f"Of the float32 weights a ticket's masks take {masks_share:.2f} %, its batch-norm "
        f"statistics {norms:.2f} %."
    )
    lines = table(header, [["size in MB", *sizes, weights]])
    fill(PAGE, {"memory": f"{sentence}\n\n{lines}"})


if __name__ == "__main__":
    main()

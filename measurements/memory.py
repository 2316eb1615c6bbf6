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

CANDIDATES = (0.05, 0.07, 0.1, 0.15, 0.2, 0.3)


def main() -> None:
    """Print sizes in MB and R2S's overhead as fractions of the shared weights."""
    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18)
    head = Head(10, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
    network = Network("cifar10", "resnet18", Init.SIGNED_KAIMING_CONSTANT, 0)
    model = build_classifier(settings, head.classes, head.mean, head.std)
    draw_weights(model, network.init, network.seed)
    masks, statistics = [], []
    with tempfile.TemporaryDirectory() as folder:
        for keep_ratio in CANDIDATES:
            trainee = MaskTrainee(model, keep_ratio, Pattern.ELEMENT, 0)
            masks.append(trainee.masks())
            statistics.append(batch_norm_statistics(model))
            adversary = Adversary(SearchMethod.PGD7, 8.0)
            ticket = Ticket(network, Origin.RST, keep_ratio, Pattern.ELEMENT, adversary)
            path = Path(folder) / "ticket.pt"
            save_model(path, ticket, settings, head, trainee.contents(), {})
            print(f"ticket at {keep_ratio:g}: {path.stat().st_size / 1e6:.2f} MB")
        path = Path(folder) / "weights.pt"
        torch.save(model.state_dict(), path)
        print(f"weights: {path.stat().st_size / 1e6:.2f} MB")
    overhead = RandomSwitch(model, masks, statistics).overhead()
    print(f"masks, a ticket: {100 * overhead['masks_a_ticket']:.2f} % of the weights")
    print(f"batch norms, a ticket: {100 * overhead['batch_norms_a_ticket']:.2f} % of the weights")


if __name__ == "__main__":
    main()

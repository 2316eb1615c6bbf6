"""What a calibration must cover so that some cells can be planned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rst_core.settings import DatasetSettings, NetworkSettings
from rst_core.spec import Cell, Evaluation, TrainingCell, TransferRow
from rst_core.vocabulary import Precision
from workflow.matrix import Matrix
from workflow.plan.cost import EVALUATION_BATCH, attack_calls


@dataclass
class WantedNetwork:
    """One network at one image size.

    Attributes:
        build: architecture and width.
        image_size: in pixels.
        classes: of the first dataset that wants it; a head's size changes no time to speak of.
        training: batch sizes and precisions.
    """

    build: NetworkSettings
    image_size: int
    classes: int
    training: set[tuple[int, Precision]] = field(default_factory=set)


@dataclass
class Wanted:
    """Networks, attack steps by image size, datasets, and images at a time in attacks."""

    networks: list[WantedNetwork]
    attacks: dict[int, set[str]]
    datasets: dict[str, DatasetSettings]
    batch: int


def wanted(matrix: Matrix, cells: Iterable[Cell]) -> Wanted:
    """What these cells need timed."""
    networks: dict[tuple[NetworkSettings, int], WantedNetwork] = {}
    attacks: dict[int, set[str]] = {}
    datasets: dict[str, DatasetSettings] = {}
    for cell in cells:
        network = cell.model.network
        images = matrix.config.datasets[network.dataset].images
        datasets[network.dataset] = images
        build, side = matrix.network_settings(network), images.image_size
        one = networks.setdefault((build, side), WantedNetwork(build, side, images.classes))
        if isinstance(cell, TrainingCell):
            settings = matrix.training_settings(network.dataset)
            one.training.add((settings.batch_size, settings.precision))
        elif isinstance(cell, Evaluation | TransferRow):
            names = attack_calls(matrix.attack(cell)).arithmetic
            attacks.setdefault(side, set()).update(names)
    batch = max(matrix.config.attack_batch_size, EVALUATION_BATCH)
    steps = {side: names for side, names in attacks.items() if names}
    return Wanted(list(networks.values()), steps, datasets, batch)

"""What searches and attacks decide on fixed inputs: tickets' bits and attacks' outcomes.

``python -m tests.golden.decisions`` records them after a wanted change; the commit says why.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from rst_core.attacks import run_attack
from rst_core.models.networks import build_classifier, draw_weights
from rst_core.settings import AttackSpec, NetworkSettings, training_attack
from rst_core.training.trainee import MaskTrainee
from rst_core.vocabulary import Architecture, AttackMethod, Init, Pattern, SearchMethod
from tests.attacks.attack_examples import EXAMPLES

EXPECTED = Path(__file__).with_name("decisions.json")
MASK_BITS, CLASSES, SIDE = 400, 10, 8
#: Attacks on a candidate set: logits of all members at once.
ON_SETS = {
    AttackMethod.EOT,
    AttackMethod.ENSEMBLE,
    AttackMethod.APGD,
    AttackMethod.AUTO_ATTACK_EXPECTED,
    AttackMethod.SQUARE,
}


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Uniform on [0, 1]; the stream of RandomState is frozen."""
    return torch.tensor(np.random.RandomState(seed).uniform(size=shape), dtype=torch.float32)


def masks() -> Iterator[tuple[str, str]]:
    """A sample of a ticket's bits after two steps of search, for every init and pattern."""
    images, labels = draw(16, 3, SIDE, SIDE), torch.arange(16) % CLASSES
    network = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=1 / 16)
    for init, pattern in itertools.product(Init, Pattern):
        model = build_classifier(network, CLASSES, (0.5,) * 3, (0.25,) * 3)
        draw_weights(model, init, 0)
        trainee = MaskTrainee(model, 0.3, pattern, 0)
        optimiser = torch.optim.SGD(trainee.variables.values(), lr=0.1, momentum=0.9)
        for _ in range(2):
            optimiser.zero_grad()
            logits = functional_call(model, trainee.weights(), (images,))
            F.cross_entropy(logits, labels).backward()
            optimiser.step()
        found = sorted(trainee.masks().items())
        bits = torch.cat([mask.flatten() for _, mask in found])
        yield f"mask {init} {pattern}", text(bits[:: max(1, len(bits) // MASK_BITS)])


def attacks() -> Iterator[tuple[str, list[float] | str]]:
    """Mean moves and final outcomes of search attacks at several eps and of every method."""
    crafted = [
        (f"search {method} eps {eps}", training_attack(method, eps, 0))
        for method, eps in itertools.product(SearchMethod, (4.0, 8.0, 12.0, 16.0))
    ]
    for method, spec in EXAMPLES.items():
        if method in (AttackMethod.EOT, AttackMethod.ENSEMBLE):  # members fall at different steps
            spec = dataclasses.replace(spec, stop_at_success=False)
        crafted.append((f"attack {method}", spec))
    images = 0.2 + 0.6 * draw(24, 3, SIDE, SIDE, seed=1)
    for name, spec in crafted:
        yield from outcomes(name, spec, images)


def outcomes(
    name: str, spec: AttackSpec, images: Tensor
) -> Iterator[tuple[str, str | list[float]]]:
    """Mean |move| of each image in 1/255, and which model's decisions survive."""
    weights = 0.3 * (draw(2, CLASSES, 3 * SIDE * SIDE, seed=2) - 0.5)

    def model(x: Tensor) -> Tensor:
        logits = torch.einsum("nd,mcd->mnc", 10 * x.flatten(1).tanh(), weights)
        return logits if spec.method in ON_SETS else logits[0]

    labels = model(images).reshape(-1, len(images), CLASSES)[0].argmax(-1)
    adversarial = run_attack(model, images, labels, spec, torch.Generator().manual_seed(0))
    moves = 255 * (adversarial - images).abs().flatten(1).mean(1)
    yield f"{name} moves", [float(f"{move:.4g}") for move in moves]
    yield f"{name} right", text(model(adversarial).argmax(-1).eq(labels).flatten())


def text(bits: Tensor) -> str:
    """Bits as 0 and 1."""
    return "".join("01"[int(bit)] for bit in bits)


def observe() -> dict[str, str | list[float]]:
    """Everything, on one thread, so that sums have one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return dict(itertools.chain(masks(), attacks()))
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    EXPECTED.write_text(json.dumps(observe(), indent=0) + "\n")

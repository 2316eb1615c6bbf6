"""Which test images survive: one function for white-box, transferred and adaptive attacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from rst_core.attacks import run_attack
from rst_core.attacks.gradient import LogitFunction
from rst_core.data import Images, as_float
from rst_core.seeding import generator
from rst_core.settings import AttackSpec

#: Called after every batch with (images done, images in all).
Report = Callable[[int, int], None]


def _silent(done: int, total: int) -> None:
    pass


def batches(images: Images, batch_size: int) -> Sequence[slice]:
    """Slices that cover the images in order."""
    return [slice(i, i + batch_size) for i in range(0, len(images), batch_size)]


@torch.no_grad()
def correct(model: LogitFunction, images: Tensor, labels: Tensor) -> Tensor:
    """Which of N images the model classifies correctly, N booleans."""
    return model(images).argmax(1) == labels


def natural_outcomes(model: LogitFunction, images: Images, batch_size: int = 500) -> Tensor:
    """Which clean images are classified correctly, N booleans on the CPU."""
    parts = [
        correct(model, as_float(images.pixels[s]), images.labels[s]).cpu()
        for s in batches(images, batch_size)
    ]
    return torch.cat(parts)


def attack_outcomes(
    source: LogitFunction,
    judges: Mapping[str, LogitFunction],
    images: Images,
    spec: AttackSpec,
    *,
    batch_size: int = 500,
    report: Report = _silent,
) -> dict[str, Tensor]:
    """Attack ``source`` once and evaluate every judge on the same adversarial images.

    Models must be in evaluation mode; everything is float32.

    Args:
        source: what the adversary sees.
        judges: models to evaluate, by name; a white-box attack judges its own source.
        images: the test images, on the models' device.
        spec: the attack.
        batch_size: images at a time; random starts are drawn batch by batch, so it is one of
            the settings that determine the outcomes.
        report: told of every batch.

    Returns:
        For every judge, N booleans on the CPU: which images it still classifies correctly.
    """
    outcomes: dict[str, list[Tensor]] = {name: [] for name in judges}
    for s in batches(images, batch_size):
        clean, labels = as_float(images.pixels[s]), images.labels[s]
        rng = generator("attack", spec.name, spec.seed, s.start)
        adversarial = run_attack(source, clean, labels, spec, rng)
        for name, judge in judges.items():
            outcomes[name].append(correct(judge, adversarial, labels).cpu())
        report(min(s.stop, len(images)), len(images))
    return {name: torch.cat(parts) for name, parts in outcomes.items()}

"""Which test images survive: one function for white-box, transferred and adaptive attacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from rst_core.attacks import run_attack
from rst_core.attacks.gradient import LogitFunction
from rst_core.data import LabelledImages
from rst_core.distributed import share, total
from rst_core.seeding import generator
from rst_core.settings import AttackSpec

#: Called after every batch with (images done, images in all).
Report = Callable[[int, int], None]


def _silent(done: int, total: int) -> None:
    pass


@torch.no_grad()
def correct(model: LogitFunction, images: Tensor, labels: Tensor) -> Tensor:
    """Which of N images the model classifies correctly, N booleans."""
    return model(images).argmax(1) == labels


def _united(outcomes: Tensor) -> Tensor:
    """N outcomes on the CPU; each process filled in its batches and left the others at 0."""
    return total(outcomes).bool().cpu()


def _unknown(images: LabelledImages) -> Tensor:
    # Not booleans: those cannot be summed over processes.
    return torch.zeros(len(images), dtype=torch.uint8, device=images.device)


def natural_outcomes(model: LogitFunction, images: LabelledImages, batch_size: int = 500) -> Tensor:
    """Which clean images are classified correctly, N booleans on the CPU.

    Several processes share the batches; each returns the outcomes of all images.
    """
    outcomes = _unknown(images)
    for start, clean, labels in images.evaluation_batches(batch_size, share()):
        outcomes[start : start + len(labels)] = correct(model, clean, labels)
    return _united(outcomes)


def attack_outcomes(
    source: LogitFunction,
    judges: Mapping[str, LogitFunction],
    images: LabelledImages,
    spec: AttackSpec,
    *,
    batch_size: int = 500,
    report: Report = _silent,
) -> dict[str, Tensor]:
    """Attack ``source`` once and evaluate every judge on the same adversarial images.

    Models must be in evaluation mode; everything is float32. Several processes share the
    batches; each returns the outcomes of all images.

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
    outcomes = {name: _unknown(images) for name in judges}
    for start, clean, labels in images.evaluation_batches(batch_size, share()):
        stop = start + len(labels)
        rng = generator("attack", spec.name, spec.seed, start)
        adversarial = run_attack(source, clean, labels, spec, rng)
        for name, judge in judges.items():
            outcomes[name][start:stop] = correct(judge, adversarial, labels)
        report(stop, len(images))
    return {name: _united(found) for name, found in outcomes.items()}

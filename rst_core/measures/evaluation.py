"""Which test images survive: one function for white-box, transferred and adaptive attacks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rst_core.attacks import run_counting
from rst_core.attacks.gradient import LogitFunction
from rst_core.checkpoints import NO_CHECKPOINTS, Checkpoints, State, take
from rst_core.data.images import LabelledImages
from rst_core.device.distributed import all_reduce_sum, share
from rst_core.device.seeding import generator
from rst_core.divergence import check_logits
from rst_core.settings import AttackSpec


@torch.no_grad()
def correct(
    model: LogitFunction, images: Tensor, labels: Tensor, name: str = "the model"
) -> Tensor:
    """Which of N images the model classifies correctly, N booleans.

    Raises ``DivergedError`` naming the model, if a logit is not finite.
    """
    logits = model(images)
    check_logits(logits, name)
    return logits.argmax(1) == labels


@dataclass(frozen=True)
class AttackResult:
    """What an attack on a whole test set found, on the CPU.

    ``outcomes`` say for every target which of N images it still classifies correctly; ``queries``
    what each image cost, N counts, if the attack counts them.
    """

    outcomes: dict[str, Tensor]
    queries: Tensor | None


def natural_outcomes(
    model: LogitFunction, images: LabelledImages, batch_size: int = 500, name: str = "the model"
) -> Tensor:
    """Which clean images are classified correctly, N booleans on the CPU.

    Several processes share the batches; each returns the outcomes of all images.
    """
    # Each process fills in its batches and a sum unites them, hence no booleans.
    outcomes = torch.zeros(len(images), dtype=torch.uint8, device=images.device)
    for start, clean, labels in images.evaluation_batches(images.at_once(batch_size), share()):
        outcomes[start : start + len(labels)] = correct(model, clean, labels, name)
    return all_reduce_sum(outcomes).bool().cpu()


def attack_and_evaluate(
    source: LogitFunction,
    targets: Mapping[str, LogitFunction],
    images: LabelledImages,
    spec: AttackSpec,
    *,
    batch_size: int = 500,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> AttackResult:
    """Attack ``source`` once and evaluate every target on the same adversarial images.

    A white-box attack's target is its source. Models must be in evaluation mode and on the images'
    device; everything is float32. Random starts are drawn by batch, so that outcomes depend on
    ``batch_size``, of which large images take fewer (:meth:`LabelledImages.at_once`).
    ``checkpoints`` are asked after every batch; batches that they restore are not
    attacked again. Several processes share the batches; each returns the outcomes of all images.
    """
    batch_size = images.at_once(batch_size)
    mine, batches = share(), math.ceil(len(images) / batch_size)
    # "judge": a target, in the words of checkpoints that exist.
    # Each process fills in its batches and a sum unites them, hence no booleans.
    sizes = {"batches": batches, **{f"judge {name}": len(images) for name in targets}}
    known = {n: torch.zeros(s, dtype=torch.uint8, device=images.device) for n, s in sizes.items()}
    for name, size in (("queries", len(images)), ("counted", 1)):
        known[name] = torch.zeros(size, dtype=torch.int64, device=images.device)
    if (saved := checkpoints.restore()) is not None:
        take(saved, known)
    new = {name: torch.zeros_like(part) for name, part in known.items()}

    def united() -> State:
        return {
            name: (known[name] + all_reduce_sum(part.clone())).cpu() for name, part in new.items()
        }

    own = iter(images.evaluation_batches(batch_size, mine))
    for _ in range(math.ceil(batches / mine.processes)):  # as often in every process
        batch = next(own, None)
        if batch is not None and not known["batches"][batch[0] // batch_size]:
            start, clean, labels = batch
            rng = generator("attack", spec.name, spec.seed, start)
            adversarial, queries = run_counting(source, clean, labels, spec, rng)
            at = slice(start, start + len(labels))
            new["batches"][start // batch_size] = 1
            for name, target in targets.items():
                new[f"judge {name}"][at] = correct(target, adversarial, labels, name)
            if queries is not None:
                new["counted"] += 1
                new["queries"][at] = queries
        done = int(known["batches"].sum() + mine.processes * new["batches"].sum())
        checkpoints.maybe_save(f"after {min(done, batches)} of {batches} batches", united)
    found = united()
    outcomes = {name: found[f"judge {name}"].bool() for name in targets}
    return AttackResult(outcomes, found["queries"] if bool(found["counted"]) else None)

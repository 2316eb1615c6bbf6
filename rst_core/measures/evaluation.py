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
from rst_core.device.distributed import share, total
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

    Attributes:
        outcomes: for every judge, N booleans: which images it still classifies correctly.
        queries: N counts of what each image cost, if the attack counts queries.
    """

    outcomes: dict[str, Tensor]
    queries: Tensor | None


def natural_outcomes(
    model: LogitFunction, images: LabelledImages, batch_size: int = 500, name: str = "the model"
) -> Tensor:
    """Which clean images are classified correctly, N booleans on the CPU.

    Several processes share the batches; each returns the outcomes of all images.
    """
    # Each process fills in its batches; not booleans: those cannot be summed over processes.
    outcomes = torch.zeros(len(images), dtype=torch.uint8, device=images.device)
    for start, clean, labels in images.evaluation_batches(batch_size, share()):
        outcomes[start : start + len(labels)] = correct(model, clean, labels, name)
    return total(outcomes).bool().cpu()


def attack_outcomes(
    source: LogitFunction,
    judges: Mapping[str, LogitFunction],
    images: LabelledImages,
    spec: AttackSpec,
    *,
    batch_size: int = 500,
) -> dict[str, Tensor]:
    """The outcomes of :func:`attack_and_judge`."""
    return attack_and_judge(source, judges, images, spec, batch_size=batch_size).outcomes


def attack_and_judge(
    source: LogitFunction,
    judges: Mapping[str, LogitFunction],
    images: LabelledImages,
    spec: AttackSpec,
    *,
    batch_size: int = 500,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> AttackResult:
    """Attack ``source`` once and evaluate every judge on the same adversarial images.

    Models must be in evaluation mode; everything is float32. Several processes share the batches;
    each returns the outcomes of all images.

    Args:
        source: what the adversary sees.
        judges: models to evaluate, by name; a white-box attack judges its own source.
        images: the test images, on the models' device.
        spec: the attack.
        batch_size: images at a time; random starts are drawn by batch, so outcomes depend on it.
        checkpoints: asked after every batch; batches that it restores are not attacked again.
    """
    found = _Found(judges, images, batch_size)
    found.restore(checkpoints.restore())
    own = iter(images.evaluation_batches(batch_size, share()))
    for _ in range(math.ceil(found.batches / share().processes)):  # as often in every process
        if (batch := next(own, None)) is not None and not found.knows(batch[0]):
            found.add(batch[0], _judge_batch(source, judges, spec, *batch))
        checkpoints.beat(found.progress, found.united)
    return found.result(list(judges))


class _Found:
    """What is known of every image; each process fills in its batches, and a sum unites them."""

    def __init__(
        self, judges: Mapping[str, LogitFunction], images: LabelledImages, batch_size: int
    ) -> None:
        self.batch_size, self.batches = batch_size, math.ceil(len(images) / batch_size)
        # Not booleans: those cannot be summed over processes.
        sizes = {"batches": self.batches, "queries": len(images), "counted": 1}
        sizes |= {f"judge {name}": len(images) for name in judges}
        self.before = {name: _zeros(size, images.device, name) for name, size in sizes.items()}
        self.mine = {name: torch.zeros_like(part) for name, part in self.before.items()}

    def restore(self, saved: State | None) -> None:
        """Take over what :meth:`united` gave an earlier run."""
        if saved is not None:
            take(saved, self.before)

    def knows(self, start: int) -> bool:
        """Whether the batch whose first image is number ``start`` was judged by an earlier run."""
        return bool(self.before["batches"][start // self.batch_size])

    def add(self, start: int, found: dict[str, Tensor]) -> None:
        """Note a batch."""
        self.mine["batches"][start // self.batch_size] = 1
        self.mine["counted"] += "queries" in found
        for name, part in found.items():
            self.mine[name][start : start + len(part)] = part

    @property
    def progress(self) -> str:
        """How far this process and its equals are."""
        done = self.before["batches"].sum() + share().processes * self.mine["batches"].sum()
        return f"after {min(int(done), self.batches)} of {self.batches} batches"

    def united(self) -> State:
        """What all processes know, on the CPU."""
        return {n: (self.before[n] + total(m.clone())).cpu() for n, m in self.mine.items()}

    def result(self, judges: list[str]) -> AttackResult:
        """The outcomes of all images."""
        found = self.united()
        outcomes = {name: found[f"judge {name}"].bool() for name in judges}
        return AttackResult(outcomes, found["queries"] if bool(found["counted"]) else None)


def _zeros(size: int, device: torch.device, name: str) -> Tensor:
    wide = name in ("queries", "counted")
    return torch.zeros(size, dtype=torch.int64 if wide else torch.uint8, device=device)


def _judge_batch(
    source: LogitFunction,
    judges: Mapping[str, LogitFunction],
    spec: AttackSpec,
    start: int,
    clean: Tensor,
    labels: Tensor,
) -> dict[str, Tensor]:
    """Attack the batch whose first image is number ``start``; what was found of its images."""
    rng = generator("attack", spec.name, spec.seed, start)
    adversarial, cost = run_counting(source, clean, labels, spec, rng)
    found = {f"judge {name}": correct(j, adversarial, labels, name) for name, j in judges.items()}
    return found if cost is None else found | {"queries": cost}

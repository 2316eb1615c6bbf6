"""One training loop for mask search, dense training and fine-tuning.

They differ in the trainee and in the inner attack, not in the loop. Every random draw is
keyed by seed and epoch, and after every step the run can be saved and continued
(:mod:`rst_core.checkpoints`), on the CPU to the bit-identical result.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from rst_core.attacks import budget
from rst_core.attacks.gradient import pgd
from rst_core.checkpoints import NO_CHECKPOINTS, Checkpoints
from rst_core.checkpoints import State as Saved
from rst_core.curves import criterion
from rst_core.data.images import LabelledImages, Splits
from rst_core.device.arithmetic import training_step
from rst_core.device.distributed import (
    all_reduce_max,
    all_reduce_mean,
    average_gradients,
    share,
    synchronise_batch_norms,
)
from rst_core.device.seeding import generator
from rst_core.divergence import check_training
from rst_core.measures.evaluation import attack_and_evaluate, natural_outcomes
from rst_core.models.networks import given_weights
from rst_core.settings import AttackSpec, DatasetSettings, TrainingSettings
from rst_core.settings import validation_attack as make_validation_attack
from rst_core.training.schedule import learning_rate
from rst_core.training.state import EpochProgress, State, capture, changing, restored
from rst_core.training.trainee import Trainee
from rst_core.vocabulary import Precision, Selection

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """What a training run needs beside its trainee and its images.

    ``identity`` is the model's path, for messages; without an ``attack``, the inner maximisation,
    it trains naturally; ``dataset`` says how to augment, ``selections`` which epochs to keep;
    ``seed`` is of batches, augmentation and attack starts.
    """

    identity: str
    attack: AttackSpec | None
    settings: TrainingSettings
    dataset: DatasetSettings
    selections: tuple[Selection, ...]
    seed: int


def train(
    trainee: Trainee,
    splits: Splits,
    run: Run,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> dict[Selection, dict[str, Any]]:
    """Train to the last epoch, from the state that ``checkpoints`` restores.

    ``trainee`` is on the device of the images. ``checkpoints`` are asked after every step; one is
    due at the end of an epoch. Several processes (:mod:`rst_core.device.distributed`) share every
    batch. The test images are looked at only for the selection ``best_test``.

    Returns the model contents of every selection, the same in every process. Raises
    ``DivergedError`` if a loss, a variable or a logit is not finite.
    """
    synchronise_batch_norms(trainee.model)
    optimiser = torch.optim.SGD(
        list(trainee.variables.values()),
        lr=run.settings.lr,
        momentum=run.settings.momentum,
        weight_decay=run.settings.weight_decay,
    )
    state = restored(checkpoints.restore(), trainee, optimiser)
    loop = _Loop(trainee, optimiser, splits, run, checkpoints, state)
    while state.epoch < run.settings.epochs:
        loop.one_epoch()
    return {selection: state.kept[selection.value] for selection in run.selections}


@dataclass(frozen=True)
class _Loop:
    """A run under way: what :func:`train` passes around."""

    trainee: Trainee
    optimiser: torch.optim.SGD
    splits: Splits
    run: Run
    checkpoints: Checkpoints
    state: State

    @property
    def rate(self) -> float:
        """Learning rate of the present epoch."""
        return learning_rate(self.run.settings, self.state.epoch)

    def one_epoch(self) -> None:
        """Train one epoch, or the rest of one, measure it, and keep its model if wanted."""
        run, state, rate = self.run, self.state, self.rate
        began = time.perf_counter() - state.part.seconds
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        line = {"epoch": state.epoch + 1, "lr": rate, **self.fit(began)}
        name = f"{run.identity} after epoch {line['epoch']} (learning rate {rate:g})"
        line |= _measure(self.trainee, self.splits.validation, run, "validation", name)
        if Selection.BEST_TEST in run.selections:
            line |= _measure(self.trainee, self.splits.test, run, "test", name)
        line["seconds"] = round(time.perf_counter() - began, 3)
        self.keep(line)
        state.epoch, state.part = state.epoch + 1, EpochProgress()
        self.maybe_save(self.captured, due=True)
        numbers = ", ".join(f"{k} {v:.5g}" for k, v in line.items())
        log.info("%s: %s", run.identity, numbers)

    def keep(self, line: dict[str, Any]) -> None:
        """Note an epoch's metrics, and its model for every selection that wants it."""
        run, state = self.run, self.state
        state.metrics.append(line)
        for selection in run.selections:
            if selection is Selection.LAST:
                wanted = line["epoch"] == run.settings.epochs
            else:
                score = line[criterion(selection, robust=run.attack is not None)]
                best = state.best.get(selection.value, -1.0)
                wanted = score > best
                state.best[selection.value] = max(score, best)
            if wanted:
                state.kept[selection.value] = self.trainee.contents()

    def fit(self, began: float) -> dict[str, float]:
        """One pass over the training images, from where it stopped. No step waits for the device.

        ``began``: when the pass would have begun without a stop, on the performance counter.
        """
        run, part, images = self.run, self.state.part, self.splits.train
        device, epoch = images.device, self.state.epoch
        rng = generator("train attack", run.seed, epoch, device=device)
        if part.rng is not None:
            rng.set_state(part.rng)
        self.trainee.model.train()
        new: list[Tensor] = []
        overrun = torch.tensor(part.overrun, device=device)

        def note() -> None:
            if new:
                part.totals = torch.cat([part.totals, all_reduce_mean(torch.stack(new)).cpu()])
                new.clear()
            losses, present = part.totals[:, 0], changing(self.trainee, self.optimiser)
            check_training(losses, present, epoch + 1, self.rate, run.identity)
            part.overrun, part.rng = float(all_reduce_max(overrun)), rng.get_state()
            part.seconds = time.perf_counter() - began

        def noted() -> Saved:
            note()
            return self.captured()

        size, skip = run.settings.batch_size, len(part.totals)
        rest = images.training_batches(run.dataset, size, run.seed, epoch, share(), skip)
        for done, (x, labels) in enumerate(rest, skip + 1):
            with training_step(run.settings.precision, device):
                new.append(step(self.trainee, self.optimiser, x, labels, run.attack, rng, overrun))
            self.maybe_save(noted, done)
        note()
        if run.attack is not None:
            budget.check_excess(part.overrun, run.attack)
        loss, hits = part.totals.mean(0).tolist()
        return {"train_loss": round(loss, 6), "train_accuracy": round(100 * hits, 4)}

    def captured(self) -> Saved:
        """All of the run, as a checkpoint keeps it."""
        return capture(self.trainee, self.optimiser, self.state)

    def maybe_save(self, state: Callable[[], Saved], steps: int = 0, due: bool = False) -> None:
        """Ask whether to save or to leave, ``steps`` into the present epoch."""
        progress = f"after epoch {self.state.epoch} of {self.run.settings.epochs}"
        progress += f" and {steps} steps of the next" if steps else ""
        self.checkpoints.maybe_save(progress, state, due=due)


def step(
    trainee: Trainee,
    optimiser: torch.optim.SGD,
    images: Tensor,
    labels: Tensor,
    attack: AttackSpec | None,
    rng: torch.Generator,
    overrun: Tensor,
) -> Tensor:
    """One optimiser step: masks once, attack gradients towards the input only, one backward pass.

    Images, N x 3 x H x W in [0, 1], and N labels are this process's rows of the batch. ``overrun``,
    a scalar, is raised in place to how far an example left its budget. Returns loss and accuracy on
    this process's adversarial images, as a tensor of two.
    """
    weights = trainee.weights()
    if attack is not None:
        fixed = {name: _constant(weight) for name, weight in weights.items()}
        clean = images

        def model(x: Tensor) -> Tensor:
            return functional_call(trainee.model, fixed, (x,))  # type: ignore[no-any-return]

        images = pgd(model, clean, labels, attack, rng, share())
        torch.maximum(overrun, budget.excess(images, clean, attack), out=overrun)
    logits = functional_call(trainee.model, weights, (images,)).float()
    loss = F.cross_entropy(logits, labels)
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    average_gradients(trainee.variables.values())
    optimiser.step()
    accuracy = (logits.detach().argmax(1) == labels).float().mean()
    # A logit of minus infinity leaves a finite loss.
    finite = torch.where(logits.detach().isfinite().all(), loss.detach(), torch.nan)
    return torch.stack([finite, accuracy])


def _constant(weight: Tensor) -> Tensor:
    """A weight for the attack steps, in what autocast would cast it to at every one of them."""
    device = weight.device.type
    if torch.is_autocast_enabled(device):
        return weight.detach().to(torch.get_autocast_dtype(device))
    return weight.detach()


def _measure(
    trainee: Trainee, images: LabelledImages, run: Run, split: str, name: str
) -> dict[str, float]:
    """Accuracies of the present model on a split, in percent, always in float32."""
    weights = {name: weight.detach() for name, weight in trainee.weights().items()}
    with given_weights(trainee.model.eval(), weights, Precision.FLOAT32) as present:
        result = {f"{split}_natural": _percent(natural_outcomes(present, images, name=name))}
        if run.attack is not None:
            assert run.attack.eps is not None, "the inner maximisation has a ball"
            spec = make_validation_attack(run.attack.eps, run.settings.validation_steps)
            robust = attack_and_evaluate(present, {name: present}, images, spec).outcomes[name]
            result[f"{split}_robust"] = _percent(robust)
    return result


def _percent(outcomes: Tensor) -> float:
    return round(100 * outcomes.float().mean().item(), 4)

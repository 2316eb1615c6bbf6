"""One training loop for mask search, dense training and fine-tuning.

They differ in the trainee and in the inner attack, not in the loop. Every random draw is
keyed by seed and epoch, and every epoch ends in a checkpoint, so that a run that was
killed continues to the bit-identical result on the CPU.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from rst_core.attacks import budget
from rst_core.attacks.gradient import pgd
from rst_core.data import LabelledImages, Splits
from rst_core.distributed import average_gradients, largest, mean, share, unite_batch_norms
from rst_core.evaluation import attack_outcomes, natural_outcomes
from rst_core.files import load_tensors, save_tensors, write_text
from rst_core.progress import Progress, say
from rst_core.seeding import generator
from rst_core.settings import AttackSpec, DatasetSettings, TrainingSettings, learning_rate
from rst_core.settings import validation_attack as make_validation_attack
from rst_core.trainee import Trainee
from rst_core.vocabulary import Precision, Selection


@dataclass(frozen=True)
class Run:
    """What a training run needs beside its trainee and its images.

    Attributes:
        identity: path of the model, the key of its checkpoint.
        attack: the inner maximisation; None trains naturally.
        settings: optimiser and schedule.
        dataset: its augmentation.
        selections: which epochs to keep.
        seed: seed of batches, augmentation and attack starts.
        checkpoint: file of the run's state; removed by the caller once the model is written.
        metrics: JSONL file with a line an epoch.
    """

    identity: str
    attack: AttackSpec | None
    settings: TrainingSettings
    dataset: DatasetSettings
    selections: tuple[Selection, ...]
    seed: int
    checkpoint: Path
    metrics: Path

    @property
    def key(self) -> str:
        """What a checkpoint must have been made with to be continued."""
        values = asdict(self)
        for place in ("checkpoint", "metrics"):
            del values[place]
        # Where the same data lies is a matter of the machine.
        del values["dataset"]["path"]
        return json.dumps(values, sort_keys=True)


@dataclass
class _State:
    """Everything a run carries from one epoch to the next, beside trainee and optimiser."""

    epoch: int = 0
    best: dict[str, float] = field(default_factory=dict)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)


def train(
    trainee: Trainee,
    splits: Splits,
    run: Run,
    *,
    after_epoch: Callable[[int], None] = lambda epoch: None,
) -> dict[Selection, dict[str, Any]]:
    """Train to the last epoch, continuing a checkpoint of the same run if there is one.

    Several processes (:mod:`rst_core.distributed`) share every batch, take the same
    decisions and return the same contents; the first one writes checkpoint and metrics.

    Args:
        trainee: on the device of the images.
        splits: training, validation and test images; the test images are looked at only
            for the selection ``best_test``.
        run: everything else.
        after_epoch: called with the number of finished epochs once their checkpoint is
            written; what it raises ends the run there.

    Returns:
        The model contents of every selection.
    """
    unite_batch_norms(trainee.model)
    optimiser = torch.optim.SGD(
        list(trainee.variables.values()),
        lr=run.settings.lr,
        momentum=run.settings.momentum,
        weight_decay=run.settings.weight_decay,
    )
    state = _resume(trainee, optimiser, run)
    # Every epoch has a line of its own; only a terminal gets a bar as well.
    with Progress(run.identity, run.settings.epochs, "epochs", interval=math.inf) as progress:
        while state.epoch < run.settings.epochs:
            _one_epoch(trainee, optimiser, splits, run, state)
            state.epoch += 1
            _save(trainee, optimiser, run, state)
            progress.update(state.epoch)
            after_epoch(state.epoch)
    return {selection: state.kept[selection.value] for selection in run.selections}


def _one_epoch(
    trainee: Trainee,
    optimiser: torch.optim.Optimizer,
    splits: Splits,
    run: Run,
    state: _State,
) -> None:
    """Train one epoch, measure it, and keep its model if a selection wants it."""
    began = time.perf_counter()
    rate = learning_rate(run.settings, state.epoch)
    for group in optimiser.param_groups:
        group["lr"] = rate
    fitted = _fit(trainee, optimiser, splits.train, run, state.epoch)
    line = {"epoch": state.epoch + 1, "lr": rate, **fitted}
    line |= _measure(trainee, splits.validation, run, "validation")
    if Selection.BEST_TEST in run.selections:
        line |= _measure(trainee, splits.test, run, "test")
    line["seconds"] = round(time.perf_counter() - began, 3)
    state.metrics.append(line)
    goal = "natural" if run.attack is None else "robust"
    for selection in run.selections:
        if selection is Selection.LAST:
            wanted = state.epoch + 1 == run.settings.epochs
        else:
            split = "test" if selection is Selection.BEST_TEST else "validation"
            score = line[f"{split}_{goal}"]
            wanted = score > state.best.get(selection.value, -1.0)
            state.best[selection.value] = max(score, state.best.get(selection.value, -1.0))
        if wanted:
            state.kept[selection.value] = trainee.contents()
    say(f"{run.identity}: " + ", ".join(f"{k} {v:.5g}" for k, v in line.items()))


def batches_of(images: LabelledImages, run: Run, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
    """This process's share of an epoch's shuffled, augmented batches."""
    return images.training_batches(run.dataset, run.settings.batch_size, run.seed, epoch, share())


def _precision(settings: TrainingSettings, device: torch.device) -> AbstractContextManager[None]:
    if settings.precision is Precision.BFLOAT16:
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def _fit(
    trainee: Trainee,
    optimiser: torch.optim.Optimizer,
    images: LabelledImages,
    run: Run,
    epoch: int,
) -> dict[str, float]:
    """One pass over the training images. No step waits for the device."""
    device = images.device
    rng = generator("train attack", run.seed, epoch, device=device)
    trainee.model.train()
    totals: list[Tensor] = []
    overrun = torch.full((), -1.0, device=device)
    for x, labels in batches_of(images, run, epoch):
        with _precision(run.settings, device):
            totals.append(step(trainee, optimiser, x, labels, run.attack, rng, overrun))
    if run.attack is not None:
        budget.check_excess(float(largest(overrun)), run.attack)
    loss, hits = mean(torch.stack(totals).mean(0)).tolist()
    return {"train_loss": round(loss, 6), "train_accuracy": round(100 * hits, 4)}


def step(
    trainee: Trainee,
    optimiser: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    attack: AttackSpec | None,
    rng: torch.Generator,
    overrun: Tensor,
) -> Tensor:
    """One optimiser step: masks once, attack gradients towards the input only, one backward pass.

    Args:
        images: N x 3 x H x W in [0, 1], this process's rows of the batch.
        labels: N class indices.
        attack: the inner maximisation, or None.
        rng: of its random starts.
        overrun: scalar; raised in place to how far an example left its budget.

    Returns:
        Loss and accuracy on this process's adversarial images, as a tensor of two.
    """
    weights = trainee.weights()
    if attack is not None:
        fixed = {name: weight.detach() for name, weight in weights.items()}
        clean = images
        images = pgd(
            lambda x: functional_call(trainee.model, fixed, (x,)),
            clean,
            labels,
            attack,
            rng,
            share(),
        )
        torch.maximum(overrun, budget.excess(images, clean, attack), out=overrun)
    logits = functional_call(trainee.model, weights, (images,)).float()
    loss = F.cross_entropy(logits, labels)
    optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    average_gradients(trainee.variables.values())
    optimiser.step()
    accuracy = (logits.detach().argmax(1) == labels).float().mean()
    return torch.stack([loss.detach(), accuracy])


def _measure(trainee: Trainee, images: LabelledImages, run: Run, split: str) -> dict[str, float]:
    """Accuracies of the present model on a split, in percent, always in float32."""
    model = trainee.model.eval()
    fixed = {name: weight.detach() for name, weight in trainee.weights().items()}

    def present(x: Tensor) -> Tensor:
        logits: Tensor = functional_call(model, fixed, (x,))
        return logits

    result = {f"{split}_natural": _percent(natural_outcomes(present, images))}
    if run.attack is not None:
        assert run.attack.eps is not None, "the inner maximisation has a ball"
        spec = make_validation_attack(run.attack.eps, run.settings.validation_steps)
        robust = attack_outcomes(present, {"self": present}, images, spec)["self"]
        result[f"{split}_robust"] = _percent(robust)
    return result


def _percent(outcomes: Tensor) -> float:
    return round(100 * outcomes.float().mean().item(), 4)


def _save(trainee: Trainee, optimiser: torch.optim.Optimizer, run: Run, state: _State) -> None:
    if not share().writes:
        return
    save_tensors(
        run.checkpoint,
        {
            "key": run.key,
            "variables": {n: v.detach().cpu() for n, v in trainee.variables.items()},
            "buffers": {n: b.cpu() for n, b in trainee.model.named_buffers()},
            "optimiser": optimiser.state_dict(),
            "state": asdict(state),
        },
    )
    write_metrics(run.metrics, state.metrics)


def write_metrics(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write metrics as JSONL, whole or not at all."""
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))


def _resume(trainee: Trainee, optimiser: torch.optim.Optimizer, run: Run) -> _State:
    """Continue the checkpoint if it is of this very run, else start afresh."""
    try:
        stored = load_tensors(run.checkpoint)
    except FileNotFoundError:
        return _State()
    except ValueError as error:
        say(f"{run.identity}: starting afresh, the checkpoint cannot be read: {error}")
        return _State()
    if stored["key"] != run.key:
        say(f"{run.identity}: starting afresh, the checkpoint is of other settings")
        return _State()
    buffers = dict(trainee.model.named_buffers())
    with torch.no_grad():
        for name, value in stored["variables"].items():
            trainee.variables[name].copy_(value)
        for name, value in stored["buffers"].items():
            buffers[name].copy_(value)
    optimiser.load_state_dict(stored["optimiser"])
    state = _State(**stored["state"])
    say(f"{run.identity}: continuing after epoch {state.epoch} of {run.settings.epochs}")
    return state

"""One training loop for mask search, dense training and fine-tuning.

They differ in the trainee and in the inner attack, not in the loop. Every random draw is
keyed by seed and epoch, and every epoch ends in a checkpoint; long epochs have more, between
two steps. A run that was killed or left continues to the bit-identical result on the CPU.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from rst_core.arithmetic import training_step
from rst_core.attacks import budget
from rst_core.attacks.gradient import pgd
from rst_core.checkpoint import Part, State, resume, save
from rst_core.data import LabelledImages, Splits
from rst_core.distributed import (
    agreed,
    average_gradients,
    largest,
    mean,
    share,
    unite_batch_norms,
)
from rst_core.evaluation import attack_outcomes, natural_outcomes
from rst_core.files import write_text
from rst_core.networks import given_weights
from rst_core.optimiser import Sgd
from rst_core.progress import Progress, say
from rst_core.seeding import generator
from rst_core.session import Session, Verdict
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
        bases: digests of the models that it starts from, by identity.
    """

    identity: str
    attack: AttackSpec | None
    settings: TrainingSettings
    dataset: DatasetSettings
    selections: tuple[Selection, ...]
    seed: int
    checkpoint: Path
    metrics: Path
    bases: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """What a checkpoint must have been made with to be continued."""
        values = asdict(self)
        for place in ("checkpoint", "metrics"):
            del values[place]
        # Where the same data lies is a matter of the machine.
        del values["dataset"]["path"]
        return json.dumps(values, sort_keys=True)


def train(
    trainee: Trainee,
    splits: Splits,
    run: Run,
    session: Session | None = None,
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
        session: says when to save and when to leave; by default never to leave.
        after_epoch: called with the number of finished epochs once their checkpoint is
            written; what it raises ends the run there.

    Returns:
        The model contents of every selection.

    Raises:
        LeftUnfinished: if the session ends first; what is done is in the checkpoint.
    """
    session = session or Session()
    unite_batch_norms(trainee.model)
    optimiser = Sgd(
        trainee.variables.values(),
        lr=run.settings.lr,
        momentum=run.settings.momentum,
        weight_decay=run.settings.weight_decay,
    )
    state = resume(run.checkpoint, run.key, run.identity, trainee, optimiser)
    if state.continued:
        say(f"{run.identity}: continuing {state} of {run.settings.epochs}")
    session.continued = state.continued
    loop = _Loop(trainee, optimiser, splits, run, session, state)
    # Every epoch has a line of its own; only a terminal gets a bar as well.
    with (
        session.listening(),
        Progress(run.identity, run.settings.epochs, "epochs", interval=math.inf) as progress,
    ):
        loop.obey("step")
        while state.epoch < run.settings.epochs:
            loop.one_epoch()
            progress.update(state.epoch)
            after_epoch(state.epoch)
    return {selection: state.kept[selection.value] for selection in run.selections}


@dataclass(frozen=True)
class _Loop:
    """A run under way: what :func:`train` passes around."""

    trainee: Trainee
    optimiser: Sgd
    splits: Splits
    run: Run
    session: Session
    state: State

    def one_epoch(self) -> None:
        """Train one epoch, or the rest of one, measure it, and keep its model if wanted."""
        run, state = self.run, self.state
        began = time.perf_counter() - state.part.seconds
        rate = learning_rate(run.settings, state.epoch)
        self.optimiser.lr = rate
        fitted = self.fit(began)
        line = {"epoch": state.epoch + 1, "lr": rate, **fitted}
        with self.session.timed("measurement"):
            line |= _measure(self.trainee, self.splits.validation, run, "validation")
            if Selection.BEST_TEST in run.selections:
                line |= _measure(self.trainee, self.splits.test, run, "test")
        line["seconds"] = round(time.perf_counter() - began, 3)
        self.keep(line)
        state.epoch, state.part = state.epoch + 1, Part()
        self.save()
        say(f"{run.identity}: " + ", ".join(f"{k} {v:.5g}" for k, v in line.items()))

    def keep(self, line: dict[str, Any]) -> None:
        """Note an epoch's metrics, and its model for every selection that wants it."""
        run, state = self.run, self.state
        state.metrics.append(line)
        goal = "natural" if run.attack is None else "robust"
        for selection in run.selections:
            if selection is Selection.LAST:
                wanted = line["epoch"] == run.settings.epochs
            else:
                split = "test" if selection is Selection.BEST_TEST else "validation"
                score = line[f"{split}_{goal}"]
                wanted = score > state.best.get(selection.value, -1.0)
                state.best[selection.value] = max(score, state.best.get(selection.value, -1.0))
            if wanted:
                state.kept[selection.value] = self.trainee.contents()

    def fit(self, began: float) -> dict[str, float]:
        """One pass over the training images, from where it stopped. No step waits for the device.

        Args:
            began: when the pass would have begun without a stop, on the performance counter.
        """
        run, part, images = self.run, self.state.part, self.splits.train
        device = images.device
        rng = generator("train attack", run.seed, self.state.epoch, device=device)
        if part.rng is not None:
            rng.set_state(part.rng)
        self.trainee.model.train()
        new: list[Tensor] = []
        overrun = torch.tensor(part.overrun, device=device)

        def note() -> None:
            if new:
                part.totals = torch.cat([part.totals, mean(torch.stack(new)).cpu()])
                new.clear()
            part.overrun, part.rng = float(largest(overrun)), rng.get_state()
            part.seconds = time.perf_counter() - began

        for x, labels in batches_of(images, run, self.state.epoch, part.steps):
            with self.session.timed("step"), training_step(run.settings.precision, device):
                new.append(step(self.trainee, self.optimiser, x, labels, run.attack, rng, overrun))
            self.obey("step", note)
        note()
        self.obey("measurement")
        if run.attack is not None:
            budget.check_excess(part.overrun, run.attack)
        loss, hits = part.totals.mean(0).tolist()
        return {"train_loss": round(loss, 6), "train_accuracy": round(100 * hits, 4)}

    def obey(self, kind: str, note: Callable[[], None] = lambda: None) -> None:
        """Save, or save and leave, if one of the processes has to before work of this kind.

        Args:
            kind: what would be done next.
            note: brings the state up to date before it is saved.
        """
        verdict = Verdict(agreed(self.session.verdict(kind)))
        if verdict is Verdict.GO_ON:
            return
        if verdict is not Verdict.SUPERSEDED:
            note()
            self.save()
        if verdict.leave:
            self.session.leave(verdict, f"{self.state} of {self.run.settings.epochs}")

    def save(self) -> None:
        """Write checkpoint and metrics; returns once the first process has."""
        with self.session.saving():
            if share().writes:
                save(self.run.checkpoint, self.run.key, self.trainee, self.optimiser, self.state)
                write_metrics(self.run.metrics, self.state.metrics)
            agreed(0)


def batches_of(
    images: LabelledImages, run: Run, epoch: int, skip: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """This process's share of an epoch's shuffled, augmented batches after the first ``skip``."""
    size = run.settings.batch_size
    return images.training_batches(run.dataset, size, run.seed, epoch, share(), skip)


def step(
    trainee: Trainee,
    optimiser: Sgd,
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
        fixed = {name: _constant(weight) for name, weight in weights.items()}
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
    optimiser.zero_grad()
    torch.autograd.backward(loss)
    average_gradients(trainee.variables.values())
    optimiser.step()
    accuracy = (logits.detach().argmax(1) == labels).float().mean()
    return torch.stack([loss.detach(), accuracy])


def _constant(weight: Tensor) -> Tensor:
    """A weight for the attack steps, in what autocast would cast it to at every one of them."""
    device = weight.device.type
    if torch.is_autocast_enabled(device):
        return weight.detach().to(torch.get_autocast_dtype(device))
    return weight.detach()


def _measure(trainee: Trainee, images: LabelledImages, run: Run, split: str) -> dict[str, float]:
    """Accuracies of the present model on a split, in percent, always in float32."""
    weights = {name: weight.detach() for name, weight in trainee.weights().items()}
    with given_weights(trainee.model.eval(), weights, Precision.FLOAT32) as present:
        result = {f"{split}_natural": _percent(natural_outcomes(present, images))}
        if run.attack is not None:
            assert run.attack.eps is not None, "the inner maximisation has a ball"
            spec = make_validation_attack(run.attack.eps, run.settings.validation_steps)
            robust = attack_outcomes(present, {"self": present}, images, spec)["self"]
            result[f"{split}_robust"] = _percent(robust)
    return result


def _percent(outcomes: Tensor) -> float:
    return round(100 * outcomes.float().mean().item(), 4)


def write_metrics(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write metrics as JSONL, whole or not at all."""
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))

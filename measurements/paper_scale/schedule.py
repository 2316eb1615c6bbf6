"""How many epochs fit: the paper's 160 if they do, else fewer, decaying at the same fractions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from measurements.paper_scale.scale import Measured, Scale
from rst_core.settings import TrainingSettings
from rst_core.spec import CandidateSet, Dense, Trained, TransferRow

#: Of the images of a batch, how many are still attacked on average where an attack leaves them
#: at their first misclassified iterate. On the safe side: about half stand after 20 steps.
STANDING = 0.75
#: Seconds of a cell beside its attack, of a model beside its epochs, and of an epoch beside its
#: steps: loading, writing, checkpoints. Guesses, on the safe side.
CELL, MODEL, EPOCH = 2.0, 8.0, 0.7
#: Calls that share a machine.
CALLS = 3
#: Share of the time that is left to chance.
MARGIN = 0.05


@dataclass(frozen=True)
class Schedule:
    """The common length of all trainings of the run, and why.

    Attributes:
        epochs: passes over the training images.
        decay_epochs: where the learning rate decays.
        paper_epochs: what the fractions are of.
        until_stage: up to which stage everything was meant to fit.
        seconds: that were to be spent when this was decided.
        reserved: of these for measurements.
        epoch_seconds: expected, by kind of training.
        compiled: whether training runs under torch.compile.
    """

    epochs: int
    decay_epochs: tuple[int, ...]
    paper_epochs: int
    until_stage: int
    seconds: float
    reserved: float
    epoch_seconds: dict[str, float]
    compiled: bool

    def applied(self, training: TrainingSettings) -> TrainingSettings:
        """Training settings of this length."""
        return replace(training, epochs=self.epochs, decay_epochs=self.decay_epochs)


def decays(epochs: int, full: TrainingSettings) -> tuple[int, ...]:
    """The decays of ``full`` at the same fractions of a shorter schedule."""
    scaled = {round(epoch * epochs / full.epochs) for epoch in full.decay_epochs}
    return tuple(sorted(epoch for epoch in scaled if 0 < epoch < epochs))


def cell_seconds(cell: Measured, speed: dict[str, Any], scale: Scale, images: int) -> float:
    """Expected seconds of a measured cell on so many images, from the speed of a PGD step."""
    found = speed["attack"]
    forward = float(found["forward"] / found["images"])
    gradient = float(found["gradient"] / found["images"])
    if cell.attack == "auto_attack":
        # APGD-CE, APGD-T and FAB-T on nine targets, 100 steps each; FAB looks twice a step;
        # Square's 5,000 queries; on the images that stand, about half.
        each = (100 + 900) * gradient + 900 * (gradient + forward) + 5000 * forward
        return CELL + 0.55 * each * images
    members = len(cell.model.keep_ratios) if isinstance(cell.model, CandidateSet) else 1
    # A candidate set's activations are computed again for the gradient (rst_core.r2s).
    step = gradient if members == 1 else members * (gradient + forward)
    share = STANDING if cell.attack == "pgd20" else 1.0
    judges = 3 if isinstance(cell, TransferRow) else members
    return CELL + images * (20 * share * step + 2 * judges * forward)


def compiling_pays(speed: dict[str, Any], seconds: float) -> bool:
    """Whether torch.compile saves more of a run than it costs, by what stage 1 measured.

    It must have worked, given the loss of the plain step up to rounding, and save a twentieth
    of ``seconds`` beside what compiling costs.
    """
    found = speed.get("compiled", {})
    if "search" not in found or found["loss_differs"] > 0.02:
        return False
    saved = 1 - found["search"] / speed["training"]["search"]
    return bool(saved * seconds - _compiling(speed) > 0.05 * seconds)


def _compiling(speed: dict[str, Any]) -> float:
    """Seconds that compiling costs a run: once in each call, with the machine's cache."""
    return CALLS * float(speed["compiled"]["again_seconds"])


def kind_of(model: Trained) -> str:
    """Which step of stage 1 a model's training consists of."""
    if isinstance(model, Dense):
        return "natural" if model.adversary is None else "dense"
    return "search"


def _models(scale: Scale, until: int) -> list[Trained]:
    """Models of the stages up to one, each once."""
    cells = [cell for stage, cell in scale.wanted() if stage <= until]
    return list(dict.fromkeys(model for cell in cells for model, _ in scale.models(cell)))


def decide(
    speed: dict[str, Any],
    scale: Scale,
    seconds: float,
    *,
    train_images: int,
    test_images: int,
    until: int = 3,
    least: int = 20,
) -> Schedule:
    """The longest schedule with which all models up to a stage fit, and their measurements.

    Auto-Attack is not counted: it comes after everything else that is, and waits.

    Args:
        speed: what stage 1 measured.
        scale: what is run.
        seconds: that are left for all of it.
        train_images: without the validation images.
        test_images: of the measurements.
        until: stage up to which everything is to fit.
        least: with fewer epochs than this, stage 2 alone is counted: in order of worth.
    """
    training = scale.training
    images = scale.dataset.validation_images
    attack = speed["attack"]
    validation = training.validation_steps * STANDING * attack["gradient"] + attack["forward"]
    validation *= images / attack["images"]
    batches = max(1, train_images // training.batch_size)
    compiled = compiling_pays(speed, seconds)
    faster = speed["compiled"]["search"] / speed["training"]["search"] if compiled else 1.0
    epoch = {
        kind: EPOCH + batches * step * faster + (0 if kind == "natural" else validation)
        for kind, step in speed["training"].items()
    }
    if compiled:
        seconds -= _compiling(speed)
    for stage in (until, 2):
        models = _models(scale, stage)
        cells = [c for s, c in scale.wanted() if s <= stage and c.attack != "auto_attack"]
        reserved = sum(cell_seconds(c, speed, scale, test_images) for c in cells)
        reserved += MODEL * len(models)
        each = sum(epoch[kind_of(model)] for model in models)
        epochs = int(((1 - MARGIN) * seconds - reserved) / each)
        if epochs >= least:
            break
    epochs = max(1, min(epochs, training.epochs))
    return Schedule(
        epochs=epochs,
        decay_epochs=decays(epochs, training),
        paper_epochs=training.epochs,
        until_stage=stage,
        seconds=round(seconds, 1),
        reserved=round(reserved, 1),
        epoch_seconds={kind: round(found, 3) for kind, found in epoch.items()},
        compiled=compiled,
    )

"""The learning rate of every epoch [B]."""

from __future__ import annotations

import math

from rst_core.settings import TrainingSettings
from rst_core.vocabulary import Schedule


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """Learning rate of an epoch, counted from 0."""
    if settings.schedule is Schedule.STEP:
        decays = sum(epoch >= e for e in settings.decay_epochs)
        return settings.lr * settings.decay_factor**decays
    if epoch < settings.warmup_epochs:
        return settings.lr * (epoch + 1) / settings.warmup_epochs
    done = (epoch - settings.warmup_epochs) / (settings.epochs - settings.warmup_epochs)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * done))

"""Models so small that Auto-Attack's ten thousand calls take seconds."""

import torch
from torch import nn

from rst_core.models.r2s import adversary_view
from rst_core.vocabulary import AttackMethod
from tests.attacks.attack_examples import rng


def tiny_models(count: int = 1):
    """Models, and random images, channels last as in evaluation; the first two misclassified."""
    models = []
    for seed in range(count):
        torch.manual_seed(seed)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(72, 10)
        )
        models.append(model.eval())
    images = torch.rand(10, 3, 8, 8, generator=rng(1))
    images[2:4] = images[2:4].round()  # at the walls of the box
    images = images.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        labels = torch.stack([model(images) for model in models]).mean(0).argmax(1)
    labels[:2] = (labels[:2] + 1) % 10
    return models, images, labels


def few_images():
    (model,), images, labels = tiny_models()
    return model, images, labels


def attacked(method: AttackMethod):
    """What a method attacks, the modules behind it, images and labels."""
    models, images, labels = tiny_models(3 if method.on_sets else 1)
    view = adversary_view(models, method) if method.on_sets else models[0]
    return view, nn.ModuleList(models), images, labels

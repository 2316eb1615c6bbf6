"""Classifiers on [0, 1] images, their random initialisations [4.1] and parameter counts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rst_core.device.arithmetic import memory_format
from rst_core.device.seeding import generator
from rst_core.models.architectures import BUILDERS
from rst_core.settings import NetworkSettings
from rst_core.vocabulary import Init, Precision


def _shapes(settings: NetworkSettings, classes: int) -> nn.Module:
    """A network on the meta device: its tensors have shapes and no memory."""
    with torch.device("meta"):
        return BUILDERS[settings.architecture](settings.width, classes)


class Classifier(nn.Module):
    """A network on [0, 1] images: normalisation by channel means and deviations is the first layer.

    ``memory_format`` is of what convolutions work on, whatever the images' is (:func:`to_device`).
    """

    mean: Tensor
    std: Tensor
    memory_format: torch.memory_format = torch.channels_last

    def __init__(
        self,
        network: nn.Module,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.register_state_dict_post_hook(_contiguous)  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor) -> Tensor:
        """Images in [0, 1], N x 3 x H x W, to logits, N x classes."""
        if not images.is_floating_point() or images.dim() != 4 or images.shape[1] != 3:
            raise ValueError(
                f"images are {images.dtype} of shape {tuple(images.shape)}; "
                "allowed are float images, N x 3 x H x W, in [0, 1]"
            )
        normalised = (images - self.mean) / self.std
        if self.memory_format is torch.contiguous_format:
            # Images come channels last, and so does all that a convolution makes of them.
            normalised = normalised.contiguous()
        logits: Tensor = self.network(normalised)
        return logits


def _contiguous(module: nn.Module, state: dict[str, Tensor], prefix: str, _: object) -> None:
    """Weights lie channels last in memory, which other formats of files cannot store."""
    for name in state:
        if name.startswith(prefix):
            state[name] = state[name].contiguous()


def build_classifier(
    settings: NetworkSettings,
    classes: int,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
) -> Classifier:
    """A classifier whose weights are still to be drawn (:func:`draw_weights`) or loaded."""
    network = _shapes(settings, classes)
    # What to_empty does, which imports sympy, half a second of every job.
    network._apply(lambda t: torch.empty(t.shape, dtype=t.dtype))  # type: ignore[no-untyped-call]
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    return to_device(Classifier(network, mean, std), torch.device("cpu"))


@cache
def layout(settings: NetworkSettings, classes: int) -> tuple[dict[str, torch.Size], list[int]]:
    """Shapes of a classifier's weights by name, and the channels of its batch norms."""
    network = _shapes(settings, classes)
    weights = {f"network.{name}": w.shape for name, w in prunable_weights(network).items()}
    norms = [m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    return weights, norms


def to_device(
    model: Classifier, device: torch.device, precision: Precision = Precision.FLOAT32
) -> Classifier:
    """Move a model to a device, into the memory format that is fast there; in place."""
    model.memory_format = memory_format(device, precision)
    return model.to(device, memory_format=model.memory_format)  # type: ignore[call-overload, no-any-return]


@contextmanager
def given_weights(
    model: Classifier, weights: dict[str, Tensor], precision: Precision
) -> Iterator[Callable[[Tensor], Tensor]]:
    """The model as a function with other weights, by name, in the format of another precision.

    A model that is trained in bfloat16 is measured in float32, which on a GPU wants another memory
    format than the one that :func:`to_device` gave it.
    """
    own = model.memory_format
    model.memory_format = memory_format(model.mean.device, precision)
    # Not Tensor.contiguous: a 1 x 1 kernel is contiguous in both formats, but has strides of one,
    # which its convolution follows.
    weights = {
        name: weight.to(memory_format=model.memory_format) if weight.dim() == 4 else weight
        for name, weight in weights.items()
    }
    try:
        yield lambda images: functional_call(model, weights, (images,))
    finally:
        model.memory_format = own


def prunable_weights(model: nn.Module) -> dict[str, nn.Parameter]:
    """Weights of all convolutions and linear layers, by parameter name, in module order."""
    return {
        f"{name}.weight": module.get_parameter("weight")
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def parameter_count(model: nn.Module) -> int:
    """Number of prunable weights; nothing else in these networks is a parameter."""
    return sum(weight.numel() for weight in prunable_weights(model).values())


def draw_weight(weight: Tensor, init: Init, rng: torch.Generator) -> None:
    """Fill one weight (out x in x ...) in place by an initialisation of section 4.1.

    Signed Kaiming constant: the sign of a draw times ReLU's gain / sqrt(fan_in) [51].
    """
    fan_in = weight[0].numel()
    deviation = math.sqrt(2 / fan_in)
    with torch.no_grad():
        match init:
            case Init.SIGNED_KAIMING_CONSTANT:
                positive = torch.rand(weight.shape, generator=rng) < 0.5
                weight.copy_(torch.where(positive, deviation, -deviation))
            case Init.KAIMING_NORMAL:
                nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=rng)
            case Init.XAVIER_NORMAL:
                nn.init.xavier_normal_(weight, generator=rng)
            case Init.KAIMING_UNIFORM:
                nn.init.kaiming_uniform_(weight, nonlinearity="relu", generator=rng)
            case _:
                assert_never(init)


def draw_weights(model: nn.Module, init: Init, seed: int) -> None:
    """Draw all prunable weights of a model on the CPU, in place.

    Every layer has a generator of its own, keyed by its name: networks of different
    datasets share all weights but the classifier's, as R2S across tasks needs [6.2].
    """
    for name, weight in prunable_weights(model).items():
        draw_layer(name, weight, init, seed)


def draw_layer(name: str, weight: Tensor, init: Init, seed: int) -> None:
    """Draw one layer's weight in place, as :func:`draw_weights` does."""
    drawn = torch.empty(weight.shape)
    draw_weight(drawn, init, generator("weights", init, seed, name))
    with torch.no_grad():
        weight.copy_(drawn)


def classifier_weight_name(model: Classifier) -> str:
    """Parameter name of the last layer, the head that depends on the dataset."""
    return list(prunable_weights(model))[-1]

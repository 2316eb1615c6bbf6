"""The paper's networks [4.1], their random initialisations and parameter counts.

Batch norm carries no learned affine parameters and no layer has a bias, so that the
convolutions and the classifier are all there is to prune (design decision; as in
Ramanujan et al. [51]).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import assert_never

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from rst_core.device.arithmetic import memory_format
from rst_core.device.compat import import_torchvision
from rst_core.device.seeding import generator
from rst_core.models.postact import PostActResNet18
from rst_core.settings import NetworkSettings
from rst_core.vocabulary import Architecture, Init, Precision

_batch_norm = partial(nn.BatchNorm2d, affine=False)


def _conv(channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, bias=False)


class PreActBlock(nn.Module):
    """Pre-activation residual block of two 3x3 convolutions (He et al., 2016)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = _batch_norm(channels_in)
        self.conv1 = _conv(channels_in, channels_out, 3, stride)
        self.bn2 = _batch_norm(channels_out)
        self.conv2 = _conv(channels_out, channels_out, 3)
        changes_shape = stride != 1 or channels_in != channels_out
        self.shortcut = _conv(channels_in, channels_out, 1, stride) if changes_shape else None

    def forward(self, x: Tensor) -> Tensor:
        """N x in x H x W to N x out x H/stride x W/stride."""
        activated = F.relu(self.bn1(x))
        skip: Tensor = x if self.shortcut is None else self.shortcut(activated)
        out: Tensor = self.conv2(F.relu(self.bn2(self.conv1(activated))))
        return skip + out


class PreActNet(nn.Module):
    """Pre-activation residual network for small images: stem, stages, norm, pool, classifier.

    ``stages`` are (channels, blocks, stride of the first block).
    """

    def __init__(self, stem: int, stages: list[tuple[int, int, int]], classes: int) -> None:
        super().__init__()
        self.conv1 = _conv(3, stem, 3)
        blocks: list[nn.Module] = []
        channels = stem
        for channels_out, count, stride in stages:
            for i in range(count):
                blocks.append(PreActBlock(channels, channels_out, stride if i == 0 else 1))
                channels = channels_out
        self.blocks = nn.Sequential(*blocks)
        self.bn = _batch_norm(channels)
        self.classifier = nn.Linear(channels, classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """N x 3 x H x W to N x classes."""
        x = F.relu(self.bn(self.blocks(self.conv1(x))))
        logits: Tensor = self.classifier(x.mean(dim=(2, 3)))
        return logits


def _preact_resnet18(width: float, classes: int) -> nn.Module:
    c = [max(1, round(width * n)) for n in (64, 128, 256, 512)]
    return PreActNet(c[0], [(c[0], 2, 1), (c[1], 2, 2), (c[2], 2, 2), (c[3], 2, 2)], classes)


def _wide_resnet34(width: float, classes: int) -> nn.Module:
    """Depth 34, widening 10: what the paper's parameter counts of "WideResNet32" say."""
    c = [max(1, round(width * n)) for n in (160, 320, 640)]
    return PreActNet(16, [(c[0], 5, 1), (c[1], 5, 2), (c[2], 5, 2)], classes)


def _torchvision(name: str) -> Callable[[float, int], nn.Module]:
    def build(width: float, classes: int) -> nn.Module:  # NetworkSettings has width 1 only
        constructor = getattr(import_torchvision().models, name)
        network: nn.Module = constructor(num_classes=classes, norm_layer=nn.BatchNorm2d)
        # The constructor fills affine norms, so they are taken away only afterwards.
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.affine, module.weight, module.bias = False, None, None  # type: ignore[assignment]
        network.fc.register_parameter("bias", None)  # type: ignore[union-attr]
        return network

    return build


_BUILDERS: dict[Architecture, Callable[[float, int], nn.Module]] = {
    Architecture.PREACT_RESNET18: _preact_resnet18,
    Architecture.POSTACT_RESNET18: PostActResNet18,
    Architecture.WIDE_RESNET34: _wide_resnet34,
    Architecture.RESNET18: _torchvision("resnet18"),
    Architecture.RESNET50: _torchvision("resnet50"),
    Architecture.RESNET101: _torchvision("resnet101"),
}


def _shapes(settings: NetworkSettings, classes: int) -> nn.Module:
    """A network on the meta device: its tensors have shapes and no memory."""
    with torch.device("meta"):
        return _BUILDERS[settings.architecture](settings.width, classes)


class Classifier(nn.Module):
    """A network on [0, 1] images: normalisation by channel means and deviations is the first layer.

    ``memory_format`` is of what convolutions work on, whatever the images' is (:func:`place`).
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
    return place(Classifier(network, mean, std), torch.device("cpu"))


@cache
def layout(settings: NetworkSettings, classes: int) -> tuple[dict[str, torch.Size], list[int]]:
    """Shapes of a classifier's weights by name, and the channels of its batch norms."""
    network = _shapes(settings, classes)
    weights = {f"network.{name}": w.shape for name, w in prunable_weights(network).items()}
    norms = [m.num_features for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    return weights, norms


def place(
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
    format than the one that :func:`place` gave it.
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

"""The paper's architectures [4.1].

Batch norm carries no learned affine parameters and no layer has a bias, so that the
convolutions and the classifier are all there is to prune (design decision; as in
Ramanujan et al. [51]).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from rst_core.device.compat import import_torchvision
from rst_core.vocabulary import Architecture

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


class PostActBlock(nn.Module):
    """Residual block of two 3x3 convolutions, each before its batch norm (He et al., 2015)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels_in, channels_out, 3, stride)
        self.bn1 = _batch_norm(channels_out)
        self.conv2 = _conv(channels_out, channels_out, 3)
        self.bn2 = _batch_norm(channels_out)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels_in != channels_out:
            skip = _conv(channels_in, channels_out, 1, stride)
            self.shortcut = nn.Sequential(skip, _batch_norm(channels_out))

    def forward(self, x: Tensor) -> Tensor:
        """N x in x H x W to N x out x H/stride x W/stride."""
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(out + self.shortcut(x))


def _stage(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    first = PostActBlock(channels_in, channels_out, stride)
    return nn.Sequential(first, PostActBlock(channels_out, channels_out, 1))


class PostActResNet18(nn.Module):
    """ResNet-18 for small images; its parameters have the names of the released code's."""

    def __init__(self, width: float, classes: int) -> None:
        super().__init__()
        channels = [max(1, round(width * n)) for n in (64, 64, 128, 256, 512)]
        self.conv1 = _conv(3, channels[0], 3)
        self.bn1 = _batch_norm(channels[0])
        self.layer1 = _stage(channels[0], channels[1], 1)
        self.layer2 = _stage(channels[1], channels[2], 2)
        self.layer3 = _stage(channels[2], channels[3], 2)
        self.layer4 = _stage(channels[3], channels[4], 2)
        self.fc = nn.Linear(channels[-1], classes, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """N x 3 x H x W to N x classes."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.fc(x.mean(dim=(2, 3)))
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


#: From width and number of classes to a network.
BUILDERS: dict[Architecture, Callable[[float, int], nn.Module]] = {
    Architecture.PREACT_RESNET18: _preact_resnet18,
    Architecture.POSTACT_RESNET18: PostActResNet18,
    Architecture.WIDE_RESNET34: _wide_resnet34,
    Architecture.RESNET18: _torchvision("resnet18"),
    Architecture.RESNET50: _torchvision("resnet50"),
    Architecture.RESNET101: _torchvision("resnet101"),
}

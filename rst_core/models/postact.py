"""The CIFAR ResNet of the paper's released code: activation after addition."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

_batch_norm = partial(nn.BatchNorm2d, affine=False)


class PostActBlock(nn.Module):
    """Residual block of two 3x3 convolutions, each before its batch norm (He et al., 2015)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.bn1 = _batch_norm(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.bn2 = _batch_norm(channels_out)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels_in != channels_out:
            skip = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
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
        self.conv1 = nn.Conv2d(3, channels[0], 3, 1, 1, bias=False)
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

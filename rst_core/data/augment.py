"""Augmentation of whole batches on their device. Each takes a batch and returns a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image of N x C x H x W horizontally with probability one half."""
    flips = torch.rand(len(images), 1, 1, 1, generator=generator, device=generator.device) < 0.5
    return torch.where(flips.to(images.device), images.flip(3), images)


def random_crop(images: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """Shift each image of N x C x H x W by up to ``padding`` pixels each way, filling with 0."""
    count, _, height, width = images.shape
    shifts = torch.randint(
        0, 2 * padding + 1, (2, count, 1), generator=generator, device=generator.device
    ).to(images.device)
    padded = F.pad(images, (padding,) * 4)
    rows = shifts[0] + torch.arange(height, device=images.device)
    columns = shifts[1] + torch.arange(width, device=images.device)
    batch = torch.arange(count, device=images.device)
    # Advanced indices around a slice put the channel last: N x H x W x C.
    cropped = padded[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return cropped.permute(0, 3, 1, 2)

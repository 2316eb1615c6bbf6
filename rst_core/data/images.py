"""Labelled images of one split in [0, 1]: in memory, or files (:mod:`rst_core.data.streaming`).

What measures and trains knows neither, only :class:`LabelledImages`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F

from rst_core.data.manifest import SPLITS
from rst_core.device.distributed import SINGLE_PROCESS, Share
from rst_core.device.seeding import generator
from rst_core.settings import DatasetSettings
from rst_core.storage import checksum, digest

#: Pixels of the images that are attacked at once: 500 of 64 x 64, 40 of 224 x 224.
MOST_PIXELS = 500 * 64 * 64


class LabelledImages(ABC):
    """Labelled images of one split, wherever they are.

    All batches are float32 images N x 3 x H x W in [0, 1], channels last, and their N
    labels, on :attr:`device`. ``labels`` are the class indices of all images, int64.
    """

    labels: Tensor

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of every image in a batch: 3 x H x W."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where batches are."""

    @abstractmethod
    def to(self, device: torch.device) -> Self:
        """The same images with batches on ``device``."""

    @abstractmethod
    def select(self, indices: Tensor) -> Self:
        """The images at ``indices``, in that order."""

    @abstractmethod
    def digest(self, what: str) -> str:
        """SHA-256 of images and labels in order; reads every one, and logs ``what`` is read.

        Raises ``ValueError`` naming a file that cannot be decoded.
        """

    @abstractmethod
    def plain_batches(self, batches: list[range]) -> Iterator[tuple[Tensor, Tensor]]:
        """Images, not augmented, and labels at each of ``batches``."""

    @abstractmethod
    def training_batches(
        self,
        settings: DatasetSettings,
        batch_size: int,
        seed: int,
        epoch: int,
        share: Share = SINGLE_PROCESS,
        skip: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Shuffled, augmented batches without a last partial one, and without the first ``skip``.

        Of ``share.processes`` processes each gets its rows of every batch of ``batch_size``; put
        together they are the batches of one process. Raises ``ValueError`` if it cannot be shared
        evenly.
        """

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int | None) -> Self:
        """At most the first ``count`` images; all of them for None."""
        return self if count is None else self.select(torch.arange(min(count, len(self))))

    def at_once(self, most: int) -> int:
        """How many images are attacked or classified at once: ``most``, of large images fewer.

        Activations grow with the pixels: those that a gradient needs take 82 MiB for each image of
        224 x 224 in ResNet50, so that 500 of them do not fit into a GPU.
        """
        _, height, width = self.shape
        return max(1, min(most, MOST_PIXELS // (height * width)))

    def evaluation_batches(
        self, batch_size: int, share: Share = SINGLE_PROCESS
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """All images once and in order: (index of the batch's first image, images, labels).

        The batches are dealt to ``share.processes`` processes, whole, one after the other.
        """
        starts = range(0, len(self), batch_size)[share.rank :: share.processes]
        batches = [range(start, min(start + batch_size, len(self))) for start in starts]
        for start, batch in zip(starts, self.plain_batches(batches), strict=True):
            yield start, *batch


@dataclass(frozen=True)
class Images(LabelledImages):
    """Images in memory, augmented on their device: pixels uint8, N x 3 x H x W, and labels, N."""

    pixels: Tensor
    labels: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """3 x H x W."""
        return tuple(self.pixels.shape[1:])

    @property
    def device(self) -> torch.device:
        """Where the images are."""
        return self.pixels.device

    def to(self, device: torch.device) -> Images:
        """The same images on ``device``."""
        return Images(self.pixels.to(device), self.labels.to(device))

    def select(self, indices: Tensor) -> Images:
        """The images at ``indices``, in that order."""
        return Images(self.pixels[indices], self.labels[indices])

    def digest(self, what: str) -> str:
        """Of the decoded pixels."""
        return digest({"pixels": self.pixels, "labels": self.labels})

    def plain_batches(self, batches: list[range]) -> Iterator[tuple[Tensor, Tensor]]:
        """Slices."""
        for at in batches:
            yield as_float(self.pixels[at.start : at.stop]), self.labels[at.start : at.stop]

    def training_batches(
        self,
        settings: DatasetSettings,
        batch_size: int,
        seed: int,
        epoch: int,
        share: Share = SINGLE_PROCESS,
        skip: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Augmented by padded crops and flips, if asked for."""
        order = shuffled(len(self), batch_size, seed, epoch).to(self.device)
        rows = share.rows(order.shape[1])
        rng = generator("augment", seed, epoch, device=self.device)
        for number, at in enumerate(order):
            # Drawn for the whole batch: what an image gets depends on no share. Drawn for
            # skipped batches too, so that those after them get what they always get.
            pixels = self.pixels[at]
            if settings.crop_padding:
                pixels = random_crop(pixels, settings.crop_padding, rng)
            if settings.flip:
                pixels = random_flip(pixels, rng)
            if number >= skip:
                yield as_float(pixels[rows]), self.labels[at[rows]]


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


def shuffled(count: int, batch_size: int, seed: int, epoch: int) -> Tensor:
    """Image indices of an epoch's whole batches, batches x images a batch, on the CPU.

    A last partial batch is left out; fewer images than ``batch_size`` are one batch.
    """
    size = min(batch_size, count)
    order = torch.randperm(count, generator=generator("order", seed, epoch))
    return order[: count // size * size].view(-1, size)


@dataclass(frozen=True)
class Splits:
    """Training, validation (held out of the training images) and test images."""

    train: LabelledImages
    validation: LabelledImages
    test: LabelledImages

    def to(self, device: torch.device) -> Splits:
        """The same splits on ``device``."""
        return Splits(self.train.to(device), self.validation.to(device), self.test.to(device))

    def digest(self) -> str:
        """Hex digest of labels and pixels, of streamed images of their files' bytes.

        Raises ``ValueError`` naming a streamed file that is no image.
        """
        return checksum([getattr(self, name).digest(name) for name in SPLITS])


def as_float(pixels: Tensor) -> Tensor:
    """Uint8 pixels as float32 in [0, 1], channels last in memory."""
    return pixels.to(torch.float32).div_(255).contiguous(memory_format=torch.channels_last)

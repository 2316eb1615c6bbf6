"""Large image folders such as ImageNet: listed once, decoded anew for every batch.

Worker processes decode. Every random draw for an image is keyed by seed, epoch and image,
so that neither the number of workers nor that of processes changes a pixel.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rst_core.compat import import_torchvision
from rst_core.data import as_float, class_names, image_files, shuffled
from rst_core.distributed import ALONE, Share
from rst_core.seeding import derived_seed
from rst_core.settings import DatasetSettings

#: Shorter side before the centre crop, by the crop's side: 256 for 224, as usual on ImageNet.
_RESIZE = 256 / 224


@dataclass(frozen=True, eq=False)
class StreamedImages:
    """Labelled images of one split, as files.

    Attributes:
        paths: N file names as bytes in one array: a list of a million strings would be
            copied into every worker as its reference counts change.
        labels: int64, N, on the CPU.
        image_size: side of the batches' square images, in pixels.
        workers: processes that decode, 0 for none beside this one.
        device: where batches go.
    """

    paths: np.ndarray[Any, np.dtype[np.bytes_]]
    labels: Tensor
    image_size: int
    workers: int = 0
    device: torch.device = torch.device("cpu")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of every image in a batch: 3 x H x W."""
        return (3, self.image_size, self.image_size)

    def to(self, device: torch.device) -> StreamedImages:
        """The same images with batches on ``device``."""
        return replace(self, device=device)

    def select(self, indices: Tensor) -> StreamedImages:
        """The images at ``indices``, in that order."""
        return replace(self, paths=self.paths[indices.numpy()], labels=self.labels[indices])

    def first(self, count: int | None) -> StreamedImages:
        """At most the first ``count`` images; all of them for None."""
        return replace(self, paths=self.paths[:count], labels=self.labels[:count])

    def evaluation_batches(
        self, batch_size: int, share: Share = ALONE
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """See :class:`rst_core.data.LabelledImages`; resized, then cropped at the centre."""
        starts = range(0, len(self), batch_size)[share.rank :: share.processes]
        batches = [list(range(s, min(s + batch_size, len(self)))) for s in starts]
        decoded = self._decoded(_CentreView(self.paths, self.image_size), batches)
        for start, (images, labels) in zip(starts, decoded, strict=True):
            yield start, images, labels

    def training_batches(
        self,
        settings: DatasetSettings,
        batch_size: int,
        seed: int,
        epoch: int,
        share: Share = ALONE,
        skip: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """See :class:`rst_core.data.LabelledImages`; random resized crops, flipped if asked for."""
        order = shuffled(len(self), batch_size, seed, epoch)[skip:]
        batches: list[list[int]] = order[:, share.rows(order.shape[1])].tolist()
        view = _RandomView(self.paths, self.image_size, settings.flip, seed, epoch)
        return self._decoded(view, batches)

    def _decoded(
        self, view: Dataset[Tensor], batches: Sequence[list[int]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Float images and labels at each of ``batches``, on the device."""
        on_gpu = self.device.type == "cuda"
        loader = DataLoader(
            view,
            batch_sampler=batches,
            num_workers=self.workers,
            pin_memory=on_gpu,
            # Its draws are of no consequence, and not to be taken from the global generator.
            generator=torch.Generator(),
        )
        for at, pixels in zip(batches, loader, strict=True):
            labels = self.labels[torch.as_tensor(at)]
            yield (
                as_float(pixels.to(self.device, non_blocking=on_gpu)),
                labels.to(self.device),
            )


def streamed_halves(
    settings: DatasetSettings, workers: int
) -> tuple[StreamedImages, StreamedImages]:
    """List training and test images; the latter are in ``test/`` or, as ImageNet's, in ``val/``.

    Raises:
        FileNotFoundError: if a folder is missing.
        ValueError: if a folder is empty, or there are both ``test/`` and ``val/``.
    """
    root = Path(settings.path)
    found = [root / name for name in ("test", "val") if (root / name).is_dir()]
    if len(found) == 2:
        raise ValueError(
            f"{settings.description} holds both test/ and val/; allowed is one of them, whose "
            "images are the test images: move the other away"
        )
    folders = (root / "train", found[0] if found else root / "val")
    names = class_names(settings, folders)
    halves = []
    for folder in folders:
        files, labels = image_files(folder, names)
        paths = np.array([os.fsencode(path) for path in files])
        halves.append(StreamedImages(paths, torch.tensor(labels), settings.image_size, workers))
    return halves[0], halves[1]


@dataclass(frozen=True)
class _CentreView(Dataset[Tensor]):
    """Image index to its centre, uint8, 3 x size x size."""

    paths: np.ndarray[Any, np.dtype[np.bytes_]]
    size: int

    def __getitem__(self, index: int) -> Tensor:
        return _decode(self.paths[index], _centre(self.size))


@dataclass(frozen=True)
class _RandomView(Dataset[Tensor]):
    """Image index to its random view in one epoch, uint8, 3 x size x size."""

    paths: np.ndarray[Any, np.dtype[np.bytes_]]
    size: int
    flip: bool
    seed: int
    epoch: int

    def __getitem__(self, index: int) -> Tensor:
        # torchvision draws from the global generator only, so that one is lent out.
        with torch.random.fork_rng(devices=[]):
            seed = derived_seed("streamed view", self.seed, self.epoch, index)
            torch.default_generator.manual_seed(seed)
            return _decode(self.paths[index], _random(self.size, self.flip))


# Made where they are used, as a worker may not have imported torchvision yet.
@cache
def _centre(size: int) -> Callable[[Any], Any]:
    v2 = _transforms()
    view: Callable[[Any], Any] = v2.Compose([v2.Resize(round(size * _RESIZE)), v2.CenterCrop(size)])
    return view


@cache
def _random(size: int, flip: bool) -> Callable[[Any], Any]:
    v2 = _transforms()
    steps = [v2.RandomResizedCrop(size), *([v2.RandomHorizontalFlip()] if flip else [])]
    view: Callable[[Any], Any] = v2.Compose(steps)
    return view


def _transforms() -> Any:
    import_torchvision()
    return importlib.import_module("torchvision.transforms.v2")


def _decode(path: bytes, view: Callable[[Any], Any]) -> Tensor:
    """A view of an image file, uint8, 3 x H x W."""
    from PIL import Image

    try:
        with Image.open(os.fsdecode(path)) as image:
            pixels: Tensor = _transforms().functional.pil_to_tensor(view(image.convert("RGB")))
    except OSError as error:
        raise ValueError(
            f"{os.fsdecode(path)} is no readable image; replace or remove it: {error}"
        ) from error
    return pixels

"""Large image folders such as ImageNet: listed once, decoded anew for every batch.

Worker processes decode. Every random draw for an image is keyed by seed, epoch and image,
so that neither the number of workers nor that of processes changes a pixel.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rst_core.data.image_files import class_names, fingerprints, image_files, read_rgb
from rst_core.data.images import LabelledImages, as_float, shuffled
from rst_core.data.source_files import split_folders
from rst_core.device.compat import import_torchvision
from rst_core.device.distributed import SINGLE_PROCESS, Share
from rst_core.device.seeding import derived_seed
from rst_core.settings import DatasetSettings

#: Shorter side before the centre crop, by the crop's side: 256 for 224, as usual on ImageNet.
_RESIZE = 256 / 224


@dataclass(frozen=True, eq=False)
class StreamedImages(LabelledImages):
    """Images as files, decoded by ``workers`` processes, 0 for none beside this one.

    ``paths`` are N file names as bytes in one array: a list of a million strings would be copied
    into every worker as its reference counts change. ``labels`` are int64, N, on the CPU.
    """

    paths: np.ndarray
    labels: Tensor
    image_size: int
    workers: int = 0
    device: torch.device = torch.device("cpu")

    @property
    def shape(self) -> tuple[int, ...]:
        """3 x H x W."""
        return (3, self.image_size, self.image_size)

    def to(self, device: torch.device) -> StreamedImages:
        """The same images with batches on ``device``."""
        return replace(self, device=device)

    def select(self, indices: Tensor) -> StreamedImages:
        """The images at ``indices``, in that order."""
        return replace(self, paths=self.paths[indices.numpy()], labels=self.labels[indices])

    def digest(self, what: str) -> str:
        """Of the files' bytes."""
        found = hashlib.sha256(self.labels.numpy().tobytes())
        paths = [Path(os.fsdecode(path)) for path in self.paths]
        for one in fingerprints(paths, f"{what} images"):
            found.update(one)
        return found.hexdigest()

    def plain_batches(self, batches: list[range]) -> Iterator[tuple[Tensor, Tensor]]:
        """Resized, cropped at the centre."""
        return self._decoded(_View(self.paths, self.image_size), list(map(list, batches)))

    def training_batches(
        self,
        settings: DatasetSettings,
        batch_size: int,
        seed: int,
        epoch: int,
        share: Share = SINGLE_PROCESS,
        skip: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Random resized, flipped crops."""
        order = shuffled(len(self), batch_size, seed, epoch)[skip:]
        batches: list[list[int]] = order[:, share.rows(order.shape[1])].tolist()
        view = _View(self.paths, self.image_size, settings.flip, (seed, epoch))
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
        for at, pixels in zip(batches, _plainly(loader), strict=True):
            images = as_float(pixels.to(self.device, non_blocking=on_gpu))
            yield images, self.labels[torch.as_tensor(at)].to(self.device)


def _plainly(loader: Iterable[Tensor]) -> Iterator[Tensor]:
    """What a loader gives; a worker's error without the traceback that torch makes its text."""
    try:
        yield from loader
    except ValueError as error:
        raise ValueError(str(error).strip().rpartition("ValueError: ")[2]) from None


def streamed_halves(
    settings: DatasetSettings, workers: int
) -> tuple[StreamedImages, StreamedImages]:
    """List training and test images.

    Raises ``FileNotFoundError`` if a folder is missing, ``ValueError`` if one is empty, and as
    :func:`split_folders` does.
    """
    folders = split_folders(Path(settings.path))
    names = class_names(settings, folders)
    halves = []
    for folder in folders:
        files, labels = image_files(folder, names)
        paths = np.array([os.fsencode(path) for path in files])
        halves.append(StreamedImages(paths, torch.tensor(labels), settings.image_size, workers))
    return halves[0], halves[1]


@dataclass(frozen=True)
class _View(Dataset[Tensor]):
    """Image index to its view, uint8, 3 x size x size.

    ``key`` is seed and epoch of random views; without one it is the centre.
    """

    paths: np.ndarray
    size: int
    flip: bool = False
    key: tuple[int, ...] = ()

    def __getitem__(self, index: int) -> Tensor:
        view = _transform(self.size, self.flip, bool(self.key))
        # torchvision draws from the global generator only, so that one is lent out.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derived_seed("streamed view", *self.key, index))
            return view(read_rgb(Path(os.fsdecode(self.paths[index]))))


@cache
def _transform(size: int, flip: bool, random: bool) -> Callable[[Any], Tensor]:
    """Made where it is used, as a worker may not have imported torchvision yet."""
    import_torchvision()
    v2 = importlib.import_module("torchvision.transforms.v2")
    if not random:
        steps = [v2.Resize(round(size * _RESIZE)), v2.CenterCrop(size)]
    else:
        steps = [v2.RandomResizedCrop(size), *[v2.RandomHorizontalFlip()] * flip]
    view: Callable[[Any], Tensor] = v2.Compose([*steps, v2.PILToTensor()])
    return view

"""Image datasets as splits of labelled images in [0, 1].

Small datasets live whole, as uint8 tensors on the device, and are augmented there in
batches (:mod:`rst_core.augment`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rst_core.compat import import_torchvision
from rst_core.settings import DatasetSettings
from rst_core.vocabulary import Source


@dataclass(frozen=True)
class Images:
    """Labelled images of one split.

    Attributes:
        pixels: uint8, N x 3 x H x W.
        labels: int64, N.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Images:
        """The same images on ``device``."""
        return Images(self.pixels.to(device), self.labels.to(device))

    def select(self, indices: Tensor) -> Images:
        """The images at ``indices``, in that order."""
        return Images(self.pixels[indices], self.labels[indices])

    def first(self, count: int | None) -> Images:
        """At most the first ``count`` images; all of them for None."""
        return self if count is None else Images(self.pixels[:count], self.labels[:count])


@dataclass(frozen=True)
class Splits:
    """Training, validation (held out of the training images) and test images."""

    train: Images
    validation: Images
    test: Images

    def to(self, device: torch.device) -> Splits:
        """The same splits on ``device``."""
        return Splits(self.train.to(device), self.validation.to(device), self.test.to(device))


def as_float(pixels: Tensor) -> Tensor:
    """Uint8 pixels as float32 in [0, 1], channels last in memory."""
    return pixels.to(torch.float32).div_(255).contiguous(memory_format=torch.channels_last)


def load_splits(settings: DatasetSettings, *, download: bool = False) -> Splits:
    """Load a small dataset and hold its validation images out by seed.

    Args:
        settings: the dataset.
        download: let torchvision fetch missing files.

    Raises:
        FileNotFoundError: if the folder or the files are missing.
        ValueError: if the data does not agree with the settings.
    """
    loaders = {
        Source.TORCHVISION: lambda: _torchvision(settings, download),
        Source.FOLDER: lambda: _folder(settings),
        Source.DIGITS: lambda: _digits(settings),
    }
    train, test = loaders[settings.source]()
    for split, images in (("train", train), ("test", test)):
        _check(settings, split, images)
    train, validation = hold_out(train, settings.validation_images, settings.validation_seed)
    return Splits(train, validation, test)


def hold_out(images: Images, count: int, seed: int) -> tuple[Images, Images]:
    """Split off ``count`` images chosen by ``seed``; both parts keep the original order.

    Raises:
        ValueError: if nothing would be left to train on.
    """
    if count >= len(images):
        raise ValueError(
            f"validation_images is {count}; allowed is less than the {len(images)} training images"
        )
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    held, kept = order[:count].sort().values, order[count:].sort().values
    return images.select(kept), images.select(held)


def _check(settings: DatasetSettings, split: str, images: Images) -> None:
    shape = tuple(images.pixels.shape[1:])
    expected = (3, settings.image_size, settings.image_size)
    if shape != expected:
        raise ValueError(
            f"{settings.description}: {split} images are {shape}; image_size asks for {expected}"
        )
    largest = int(images.labels.max()) if len(images) else -1
    if largest >= settings.classes:
        raise ValueError(
            f"{settings.description}: {split} labels go up to {largest}; "
            f"classes is {settings.classes}, so at most {settings.classes - 1} is allowed"
        )


def _torchvision(settings: DatasetSettings, download: bool) -> tuple[Images, Images]:
    datasets = import_torchvision().datasets
    known = ("CIFAR10", "CIFAR100", "SVHN")
    if settings.variant not in known:
        raise ValueError(f"variant is {settings.variant!r}; allowed is one of {', '.join(known)}")
    cls = getattr(datasets, settings.variant)
    halves = []
    for split in ("train", "test"):
        which = {"split": split} if settings.variant == "SVHN" else {"train": split == "train"}
        try:
            data = cls(settings.path, download=download, **which)
        except RuntimeError as error:
            raise FileNotFoundError(
                f"{settings.description} is not in folder {settings.path!r}; fetch it with "
                "'rst data … --download', or point 'path' at the folder that holds it"
            ) from error
        if settings.variant == "SVHN":
            pixels, labels = torch.from_numpy(data.data), torch.from_numpy(data.labels)
        else:
            pixels = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
            labels = torch.tensor(data.targets)
        halves.append(Images(pixels, labels.long()))
    return halves[0], halves[1]


def _folder(settings: DatasetSettings) -> tuple[Images, Images]:
    root = Path(settings.path)
    halves = []
    names: list[str] | None = None
    for split in ("train", "test"):
        folder = root / split
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{settings.description}: folder {str(folder)!r} does not exist; it "
                "is expected to hold <class>/… of images"
            )
        found = sorted(p.name for p in folder.iterdir() if p.is_dir())
        names = found if names is None else sorted({*names, *found})
        halves.append(folder)
    assert names is not None
    return _read_folder(halves[0], names), _read_folder(halves[1], names)


def _read_folder(folder: Path, names: list[str]) -> Images:
    from PIL import Image

    pixels, labels = [], []
    for label, name in enumerate(names):
        for path in sorted((folder / name).glob("*.*")):
            with Image.open(path) as image:
                pixels.append(np.asarray(image.convert("RGB")))
            labels.append(label)
    if not pixels:
        raise ValueError(f"folder {str(folder)!r} holds no images")
    sizes = {p.shape for p in pixels}
    if len(sizes) > 1:
        raise ValueError(f"folder {str(folder)!r} holds images of different sizes: {sizes}")
    stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
    return Images(stacked, torch.tensor(labels))


def _digits(settings: DatasetSettings) -> tuple[Images, Images]:
    """Offline stand-ins: tasks made of scikit-learn's 1,797 real handwritten digits.

    ``plain``: ten digits. ``tinted``: digit times tint (red or blue), twenty classes.
    ``street``: dark digits on a bright ground, lying on their side, ten classes.
    The last 360 images are the test set: other writers than the training images, as in
    the original collection's order.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    gray = torch.from_numpy(bunch.images.astype(np.float32) / 16)
    labels = torch.from_numpy(bunch.target.astype(np.int64))
    size = (settings.image_size, settings.image_size)
    gray = torch.nn.functional.interpolate(gray[:, None], size=size, mode="bilinear").clamp(0, 1)
    image = gray.expand(-1, 3, -1, -1).clone()
    match settings.variant:
        case "plain":
            pass
        case "tinted":
            tint = torch.arange(len(labels)) % 2
            image[tint == 0, 2] *= 0.3
            image[tint == 1, 0] *= 0.3
            labels = labels + 10 * tint
        case "street":
            image = 0.9 - 0.8 * image.rot90(1, (2, 3))
        case other:
            raise ValueError(f"variant is {other!r}; allowed is plain, tinted or street")
    pixels = image.mul(255).round().to(torch.uint8)
    cut = len(labels) - 360
    return Images(pixels[:cut], labels[:cut]), Images(pixels[cut:], labels[cut:])

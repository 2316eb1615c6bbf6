"""Image datasets as splits of labelled images in [0, 1].

Small datasets live whole, as uint8 tensors on the device, and are augmented there in
batches (:mod:`rst_core.augment`). Large ones stay files (:mod:`rst_core.streaming`). What
measures and trains knows neither, only :class:`LabelledImages`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Protocol, Self, TypeVar

import numpy as np
import torch
from torch import Tensor

from rst_core.augment import random_crop, random_flip
from rst_core.compat import import_torchvision
from rst_core.distributed import ALONE, Share
from rst_core.files import load_tensors, save_tensors
from rst_core.seeding import generator
from rst_core.settings import DatasetSettings
from rst_core.vocabulary import Source


class LabelledImages(Protocol):
    """Labelled images of one split, wherever they are.

    All batches are float32 images N x 3 x H x W in [0, 1], channels last, and their N
    labels, on :attr:`device`.
    """

    @property
    def labels(self) -> Tensor:
        """Class indices of all images, int64."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of every image in a batch: 3 x H x W."""

    @property
    def device(self) -> torch.device:
        """Where batches are."""

    def __len__(self) -> int: ...

    def to(self, device: torch.device) -> Self:
        """The same images with batches on ``device``."""

    def select(self, indices: Tensor) -> Self:
        """The images at ``indices``, in that order."""

    def first(self, count: int | None) -> Self:
        """At most the first ``count`` images; all of them for None."""

    def evaluation_batches(
        self, batch_size: int, share: Share = ALONE
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """All images once and in order: (index of the batch's first image, images, labels).

        Of ``share.processes`` processes each gets whole batches, taking turns.
        """

    def training_batches(
        self,
        settings: DatasetSettings,
        batch_size: int,
        seed: int,
        epoch: int,
        share: Share = ALONE,
        skip: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Shuffled, augmented batches; a last partial batch is left out.

        Of ``share.processes`` processes each gets its rows of every batch of
        ``batch_size``; put together they are the batches of one process. The first
        ``skip`` batches are left out; the others are the same as without that.

        Raises:
            ValueError: if ``batch_size`` cannot be shared evenly.
        """


L = TypeVar("L", bound=LabelledImages)


@dataclass(frozen=True)
class Images:
    """Labelled images of one split, in memory.

    Attributes:
        pixels: uint8, N x 3 x H x W.
        labels: int64, N.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of every image: 3 x H x W."""
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

    def first(self, count: int | None) -> Images:
        """At most the first ``count`` images; all of them for None."""
        return self if count is None else Images(self.pixels[:count], self.labels[:count])

    def evaluation_batches(
        self, batch_size: int, share: Share = ALONE
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """See :class:`LabelledImages`."""
        for start in range(0, len(self), batch_size)[share.rank :: share.processes]:
            s = slice(start, start + batch_size)
            yield start, as_float(self.pixels[s]), self.labels[s]

    def training_batches(
        self,
        settings: DatasetSettings,
        batch_size: int,
        seed: int,
        epoch: int,
        share: Share = ALONE,
        skip: int = 0,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """See :class:`LabelledImages`; augmented by padded crops and flips, if asked for."""
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


def as_float(pixels: Tensor) -> Tensor:
    """Uint8 pixels as float32 in [0, 1], channels last in memory."""
    return pixels.to(torch.float32).div_(255).contiguous(memory_format=torch.channels_last)


def load_splits(settings: DatasetSettings, *, download: bool = False, workers: int = 0) -> Splits:
    """Load (or, if it is streamed, list) a dataset and hold its validation images out by seed.

    Args:
        settings: the dataset.
        download: let torchvision fetch missing files.
        workers: processes that decode streamed images, 0 for none beside this one; changes
            no image and no order.

    Raises:
        FileNotFoundError: if the folder or the files are missing.
        ValueError: if the data does not agree with the settings.
    """
    # Here, because that module builds on this one.
    from rst_core.streaming import streamed_halves

    loaders: dict[Source, Callable[[], tuple[LabelledImages, LabelledImages]]] = {
        Source.TORCHVISION: lambda: _torchvision(settings, download),
        Source.FOLDER: lambda: _folder(settings),
        Source.STREAMED_FOLDER: lambda: streamed_halves(settings, workers),
        Source.PACKED: lambda: _packed(settings),
        Source.DIGITS: lambda: _digits(settings),
    }
    train, test = loaders[settings.source]()
    for split, images in (("train", train), ("test", test)):
        _check(settings, split, images)
    train, validation = hold_out(train, settings.validation_images, settings.validation_seed)
    return Splits(train, validation, test)


def hold_out(images: L, count: int, seed: int) -> tuple[L, L]:
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


def _check(settings: DatasetSettings, split: str, images: LabelledImages) -> None:
    shape = images.shape
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


def class_names(settings: DatasetSettings, folders: Sequence[Path]) -> list[str]:
    """Names of the classes, in the order of their labels: all folders in any of ``folders``.

    Raises:
        FileNotFoundError: if one of them does not exist.
    """
    names: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{settings.description}: folder {str(folder)!r} does not exist; it "
                "is expected to hold <class>/… of images"
            )
        names |= {p.name for p in folder.iterdir() if p.is_dir()}
    return sorted(names)


def image_files(folder: Path, names: Sequence[str]) -> tuple[list[Path], list[int]]:
    """Files of ``folder``/<name>/ and their labels: every class's first, then every second.

    Classes take turns, so that the first N images are as balanced as the folder allows: some
    attacks see only those (``images`` of an attack).

    Raises:
        ValueError: if there are none.
    """
    classes = [sorted((folder / name).glob("*.*")) for name in names]
    turns = zip_longest(*classes)
    found = [(p, label) for turn in turns for label, p in enumerate(turn) if p is not None]
    if not found:
        raise ValueError(f"folder {str(folder)!r} holds no images")
    return [path for path, _ in found], [label for _, label in found]


def _folder(settings: DatasetSettings) -> tuple[Images, Images]:
    train, test = (Path(settings.path) / split for split in ("train", "test"))
    names = class_names(settings, (train, test))
    return _read_folder(train, names), _read_folder(test, names)


def _read_folder(folder: Path, names: list[str]) -> Images:
    from PIL import Image

    paths, labels = image_files(folder, names)
    pixels = []
    for path in paths:
        with Image.open(path) as image:
            pixels.append(np.asarray(image.convert("RGB")))
    sizes = {p.shape for p in pixels}
    if len(sizes) > 1:
        raise ValueError(f"folder {str(folder)!r} holds images of different sizes: {sizes}")
    stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
    return Images(stacked, torch.tensor(labels))


def save_packed(path: Path, train: Images, test: Images) -> None:
    """Write decoded images to one file, which the source ``packed`` reads."""
    halves = {"train": train, "test": test}
    save_tensors(path, {n: {"pixels": h.pixels, "labels": h.labels} for n, h in halves.items()})


def _packed(settings: DatasetSettings) -> tuple[Images, Images]:
    stored = load_tensors(Path(settings.path))
    try:
        return Images(**stored["train"]), Images(**stored["test"])
    except (TypeError, KeyError) as error:
        raise ValueError(
            f"{settings.path} holds no packed images; rst_core.data.save_packed writes them"
        ) from error


def _digits(settings: DatasetSettings) -> tuple[Images, Images]:
    """Offline stand-ins: tasks made of scikit-learn's 1,797 real handwritten digits.

    ``plain``: ten digits. ``tinted``: digit times tint (red or blue), twenty classes.
    ``street``: dark digits on a bright ground, lying on their side, ten classes.
    The last 360 images are the test set: other writers than the training images, as in
    the original collection's order.
    """
    gray, labels = _read_digits()
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


def _read_digits() -> tuple[Tensor, Tensor]:
    """Scikit-learn's digits: float32 grey values in [0, 1], N x 8 x 8, and labels.

    Read from the file that the package ships: importing the package itself would cost
    every job of the demo as much as importing torch does.

    Raises:
        FileNotFoundError: if scikit-learn is not installed.
    """
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise FileNotFoundError(
            "the digits are scikit-learn's, which is not installed; pip install scikit-learn"
        )
    table = np.loadtxt(
        Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz", delimiter=","
    )
    gray = torch.from_numpy(table[:, :-1].astype(np.float32) / 16).view(-1, 8, 8)
    return gray, torch.from_numpy(table[:, -1].astype(np.int64))

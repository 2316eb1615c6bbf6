"""Where images come from: torchvision, folders, files of decoded images, and offline stand-ins."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from rst_core.data.image_files import class_names, image_files, read_rgb
from rst_core.data.images import Images, LabelledImages, Splits
from rst_core.data.manifest import DIGITS
from rst_core.data.source_files import split_folders
from rst_core.data.streaming import streamed_halves
from rst_core.device.compat import import_torchvision
from rst_core.settings import DatasetSettings
from rst_core.storage import load_tensors, save_tensors
from rst_core.vocabulary import Source

L = TypeVar("L", bound=LabelledImages)


def load_splits(settings: DatasetSettings, *, download: bool = False, workers: int = 0) -> Splits:
    """Load (or, if it is streamed, list) a dataset and hold its validation images out by seed.

    ``workers`` processes decode streamed images, 0 for none beside this one; they change no image
    and no order. Raises ``FileNotFoundError`` if files are missing and ``download`` does not fetch
    them, ``ValueError`` if the images do not agree with the settings.
    """
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
    """Split off ``count`` images chosen by ``seed``; both parts keep the original order."""
    if count >= len(images):
        raise ValueError(
            f"validation_images is {count}; allowed is less than the {len(images)} training images"
        )
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    held, kept = order[:count].sort().values, order[count:].sort().values
    return images.select(kept), images.select(held)


def _check(settings: DatasetSettings, split: str, images: LabelledImages) -> None:
    """Raise ``ValueError`` unless the images have their size, and every class has some."""
    expected = (3, settings.image_size, settings.image_size)
    if images.shape != expected:
        raise ValueError(
            f"{settings.description}: {split} images are {images.shape}; image_size asks for "
            f"{expected}"
        )
    found, wanted = set(images.labels.tolist()), set(range(settings.classes))
    if other := sorted(found - wanted):
        raise ValueError(
            f"{settings.description}: {split} labels include {other[0]}; classes is "
            f"{settings.classes}, so 0 to {settings.classes - 1} is allowed"
        )
    if lacking := sorted(wanted - found):
        raise ValueError(
            f"{settings.description}: class {lacking[0]} has no image in {split}; classes is "
            f"{settings.classes}, and each needs some"
        )


def _torchvision(settings: DatasetSettings, download: bool) -> tuple[Images, Images]:
    datasets = import_torchvision().datasets
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
    train, test = split_folders(Path(settings.path))
    names = class_names(settings, (train, test))
    return read_folder(train, names), read_folder(test, names)


def read_folder(folder: Path, names: Sequence[str]) -> Images:
    """Decode all images of ``folder``/<name>/, names in order of their labels.

    Raises ``ValueError`` if there are none, or they are of different sizes.
    """
    paths, labels = image_files(folder, names)
    pixels: list[np.ndarray] = []
    for path in paths:
        pixels.append(np.asarray(read_rgb(path)))
        if pixels[-1].shape != pixels[0].shape:
            (height, width, _), (rows, columns, _) = pixels[-1].shape, pixels[0].shape
            raise ValueError(
                f"{path} has {width} x {height} pixels, and {paths[0]} {columns} x {rows}; "
                "allowed is one size: resize them, or use streamed_folder"
            )
    stacked = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
    return Images(stacked, torch.tensor(labels))


def save_packed(path: Path, train: Images, test: Images) -> None:
    """Write decoded images to one file, which the source ``packed`` reads."""
    halves = {"train": train, "test": test}
    value = {n: {"pixels": h.pixels, "labels": h.labels} for n, h in halves.items()}
    save_tensors(path, value, "PackedImages")


def _packed(settings: DatasetSettings) -> tuple[Images, Images]:
    _, stored = load_tensors(Path(settings.path), "PackedImages")
    try:
        return Images(**stored["train"]), Images(**stored["test"])
    except (TypeError, KeyError) as error:
        raise ValueError(
            f"{settings.path} holds no packed images; rst_core.data.sources.save_packed writes them"
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
    if settings.variant == "tinted":
        tint = torch.arange(len(labels)) % 2
        image[tint == 0, 2] *= 0.3
        image[tint == 1, 0] *= 0.3
        labels = labels + 10 * tint
    elif settings.variant == "street":
        image = 0.9 - 0.8 * image.rot90(1, (2, 3))
    pixels = image.mul(255).round().to(torch.uint8)
    cut, _ = DIGITS
    return Images(pixels[:cut], labels[:cut]), Images(pixels[cut:], labels[cut:])


def _read_digits() -> tuple[Tensor, Tensor]:
    """Scikit-learn's digits: float32 grey values in [0, 1], N x 8 x 8, and labels.

    Read from the file that the package ships: importing it costs as much as importing torch.
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

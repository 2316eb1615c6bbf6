"""The files of a dataset, looked at but not read: whether they are there, and are still the same.

Imports no torch: the workflow asks before every plan.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from rst_core.settings import DatasetSettings
from rst_core.vocabulary import Source

#: Where torchvision unpacks its datasets below ``path``.
_TORCHVISION = {
    "CIFAR10": "cifar-10-batches-py/*",
    "CIFAR100": "cifar-100-python/*",
    "SVHN": "*_32x32.mat",
}


def split_folders(path: Path) -> tuple[Path, Path]:
    """Where an image folder has its training and its test images: ``test/`` or ImageNet's ``val/``.

    Raises ``ValueError`` if it has both of these. None of the folders need exist.
    """
    tests = [path / name for name in ("test", "val") if (path / name).is_dir()]
    if len(tests) > 1:
        raise ValueError(
            f"{path} holds both test/ and val/; allowed is one of them, whose images are the test "
            "images: move the other away"
        )
    return path / "train", tests[0] if tests else path / "test"


def are_there(dataset: DatasetSettings) -> bool:
    """Whether there is anything to read the images from."""
    return dataset.source is Source.DIGITS or any(True for _ in _files(dataset))


def fingerprint(dataset: DatasetSettings) -> str:
    """Hex digest of the dataset's files: their paths below its own, sizes and times.

    Of a streamed folder, which may hold a million files, only the folders of the classes count:
    their times change when a file in them is added, removed or renamed, not when one is written
    over.
    """
    found = hashlib.sha256()
    for path in sorted(_files(dataset)):
        status = path.stat()
        name = path.relative_to(dataset.path).as_posix()  # a class is a folder
        found.update(f"{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return found.hexdigest()


def _files(dataset: DatasetSettings) -> Iterator[Path]:
    path = Path(dataset.path)
    match dataset.source:
        case Source.DIGITS:
            return
        case Source.PACKED:
            yield from [path] if path.is_file() else []
        case Source.TORCHVISION:
            yield from path.glob(_TORCHVISION.get(dataset.variant, "*"))
        case Source.STREAMED_FOLDER:
            for split in split_folders(path):
                yield from split.glob("*/")
        case Source.FOLDER:
            for split in split_folders(path):
                for folder, _, names in os.walk(split, followlinks=True):
                    yield from (Path(folder, name) for name in names)
        case _:
            raise ValueError(f"{dataset.source} is no source of images")

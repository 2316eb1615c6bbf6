"""CIFAR-10 from its archive of JPEGs, decoded once into one file that loads in a moment."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from rst_core.data import Images, save_packed

#: Images that one task of the pool decodes.
_CHUNK = 1000


def pack_archive(archive: Path, file: Path, *, a_class: int | None, processes: int) -> None:
    """Decode ``train/<class>/NNNN.jpg`` and ``test/…`` of a tar archive into a packed file.

    The order is that of the source ``folder``: classes take turns, so that the first N images
    are as balanced as there are images.

    Args:
        archive: a tar file, compressed or not.
        file: to write.
        a_class: at most so many images of every class and split; None takes all.
        processes: that decode.

    Raises:
        FileNotFoundError: if there is no archive.
        ValueError: if it holds no such images.
    """
    if not archive.is_file():
        raise FileNotFoundError(
            f"{archive} does not exist; --archive names a tar of train/<class>/… and test/<class>/…"
        )
    splits = _read(archive)
    names = sorted({name for classes in splits.values() for name in classes})
    with ProcessPoolExecutor(processes) as pool:
        halves = [_half(pool, splits.get(s, {}), names, a_class) for s in ("train", "test")]
    save_packed(file, *halves)


def _read(archive: Path) -> dict[str, dict[str, list[tuple[str, bytes]]]]:
    """Encoded images with their file names by split and class."""
    found: dict[str, dict[str, list[tuple[str, bytes]]]] = {}
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = Path(member.name).parts
            content = tar.extractfile(member) if member.isfile() else None
            if content is None or len(parts) < 3:
                continue
            split, name, image = parts[-3:]
            found.setdefault(split, {}).setdefault(name, []).append((image, content.read()))
    if not {"train", "test"} <= found.keys():
        raise ValueError(
            f"{archive} holds {', '.join(found) or 'no images'}; "
            "it is expected to hold train/<class>/… and test/<class>/…"
        )
    return found


def _half(
    pool: ProcessPoolExecutor,
    classes: dict[str, list[tuple[str, bytes]]],
    names: list[str],
    a_class: int | None,
) -> Images:
    columns = [sorted(classes.get(name, []))[:a_class] for name in names]
    turns = zip_longest(*columns)
    entries = [(e[1], label) for turn in turns for label, e in enumerate(turn) if e is not None]
    encoded = [data for data, _ in entries]
    chunks = [encoded[i : i + _CHUNK] for i in range(0, len(encoded), _CHUNK)]
    pixels = np.concatenate(list(pool.map(_decode, chunks)))
    stacked = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    return Images(stacked, torch.tensor([label for _, label in entries]))


def _decode(encoded: Iterable[bytes]) -> np.ndarray:
    """Images of one size as uint8, N x H x W x 3."""
    images = []
    for data in encoded:
        with Image.open(io.BytesIO(data)) as image:
            images.append(np.asarray(image.convert("RGB")))
    return np.stack(images)

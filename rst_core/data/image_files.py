"""Image files: decoded whole or refused by name, and identified by their bytes."""

from __future__ import annotations

import hashlib
import io
import logging
import multiprocessing
import os
import re
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from rst_core.settings import DatasetSettings

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

log = logging.getLogger(__name__)

#: Files from which on several processes pay.
_MANY = 2000
#: Files between two lines of the log.
_LINE = 50_000
#: Raw modes of more than 8 bits a channel, such as RGB;16B; BGR;16 is 16 bits a pixel.
_DEEP = re.compile(r"(?<!BGR);(9|1[0-6]|32|64)")


def class_names(settings: DatasetSettings, folders: Sequence[Path]) -> list[str]:
    """Names of the classes, in the order of their labels: all folders in any of ``folders``.

    Raises ``FileNotFoundError`` if a folder is missing, ``ValueError`` for more or fewer classes
    than the settings say. Hidden folders are ignored.
    """
    names: set[str] = set()
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(
                f"{settings.description}: folder {str(folder)!r} does not exist; it "
                "is expected to hold <class>/… of images"
            )
        names |= {entry.name for entry in _visible(folder) if entry.is_dir()}
    if len(names) != settings.classes:
        some = ", ".join([*sorted(names)[:3], *["…"][: len(names) > 3]])
        raise ValueError(
            f"{settings.description} holds {len(names)} class folders ({some}); classes is "
            f"{settings.classes}"
        )
    return sorted(names)


def image_files(folder: Path, names: Sequence[str]) -> tuple[list[Path], list[int]]:
    """Files of ``folder``/<name>/ and their labels: every class's first, then every second.

    So the first N images are as balanced as the folder allows: some attacks see only those
    (``images`` of an attack). Raises ``ValueError`` if a class has none, or holds a folder.
    """
    ranks = zip_longest(*(_files_of_class(folder / name) for name in names))
    found = [(p, label) for rank in ranks for label, p in enumerate(rank) if p is not None]
    return [path for path, _ in found], [label for _, label in found]


def _visible(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder, by name, but for what is hidden (.DS_Store, .ipynb_checkpoints)."""
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(found, key=lambda entry: entry.name)


def _files_of_class(folder: Path) -> list[Path]:
    """Files of a class's folder by name, hidden ones ignored."""
    entries = _visible(folder) if folder.is_dir() else []
    if not entries:
        raise ValueError(f"folder {str(folder)!r} holds no images; every class needs some")
    for entry in entries:
        if not entry.is_file():
            raise ValueError(f"{entry.path} is no file; allowed in a class's folder are images")
    return [Path(entry.path) for entry in entries]


def read_rgb(path: Path) -> Image:
    """The image in a file, decoded, as RGB.

    Raises ``ValueError``, naming the file, if it is no image, is damaged or truncated, or has more
    than 8 bits a channel, which would be clipped.
    """
    return _read(path, path.read_bytes()).convert("RGB")


def fingerprint(path: Path) -> bytes:
    """SHA-256 of a file that holds an image; raises as :func:`read_rgb` does."""
    data = path.read_bytes()
    _read(path, data, small=True)
    return hashlib.sha256(data).digest()


def fingerprints(paths: Sequence[Path], what: str) -> Iterator[bytes]:
    """:func:`fingerprint` of each file in order, with progress, by several processes if many."""
    if len(paths) < _MANY:
        yield from map(fingerprint, paths)
        return
    with multiprocessing.Pool(min(os.cpu_count() or 1, 16)) as pool:
        for number, found in enumerate(pool.imap(fingerprint, paths, chunksize=64), 1):
            yield found
            if number % _LINE == 0:
                log.info("checking %s: %d of %d images", what, number, len(paths))


def _read(path: Path, data: bytes, *, small: bool = False) -> Image:
    """The decoded image; with ``small`` a JPEG is decoded at an eighth, which reads all of it."""
    from PIL import Image, UnidentifiedImageError

    try:
        Image.open(io.BytesIO(data)).verify()  # a PNG's checksums, to its very end
        image = Image.open(io.BytesIO(data))
        deep = _is_deep(image)
        if small:
            image.draft(None, (1, 1))
        image.load()
    except UnidentifiedImageError:
        raise ValueError(f"{path} is no image; replace or remove it") from None
    except Exception as error:  # damaged bytes make Pillow raise anything
        raise ValueError(f"{path} is no readable image; replace or remove it: {error}") from None
    if deep:
        raise ValueError(
            f"{path} has more than 8 bits a channel (mode {image.mode}); allowed are 8: convert it"
        )
    return image


def _is_deep(image: ImageFile) -> bool:
    words = [
        a for tile in image.tile for a in (tile[3] if isinstance(tile[3], tuple) else tile[3:])
    ]
    if image.format == "PPM" and any(isinstance(word, int) and word > 255 for word in words[1:2]):
        return True
    raw = any(isinstance(word, str) and _DEEP.search(word) for word in words)
    return raw or image.mode.startswith(("I", "F"))

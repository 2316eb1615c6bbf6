"""A small image folder, and what may lie in it that is no image of ours."""

import dataclasses
import struct
import zlib

import numpy as np
from PIL import Image

from rst_core.settings import DatasetSettings
from rst_core.vocabulary import Source

FOLDER = DatasetSettings(
    source=Source.FOLDER,
    path="set by the test",
    classes=2,
    image_size=8,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    validation_images=2,
)


def digests(splits):
    named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return [images.digest(name) for name, images in named.items()]


def streamed(folder):
    changes = {"source": Source.STREAMED_FOLDER, "crop_padding": 0}
    return dataclasses.replace(folder, **changes)


def put(path, name):
    """Replace an image by something that is none, or none of ours."""
    whole = path.read_bytes()
    shade = np.full((8, 8), 2**15, dtype=np.uint16)
    match name:
        case "text":
            path.write_text("no image")
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(whole[:-20])
        case "16 bits, grey":
            Image.fromarray(shade).save(path)
        case "16 bits, colours":
            header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
            rows = zlib.compress(b"".join(b"\0" + bytes(8 * 6) for _ in range(8)))
            chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
            path.write_bytes(
                b"\x89PNG\r\n\x1a\n"
                + b"".join(
                    struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c))
                    for n, c in chunks
                )
            )
        case "16 bits, PPM":
            path.write_bytes(b"P6 8 8 65535\n" + bytes(8 * 8 * 6))
        case "floats":
            Image.fromarray(shade.astype(np.float32)).save(path, format="TIFF")
        case "folder":
            path.unlink()
            path.mkdir()

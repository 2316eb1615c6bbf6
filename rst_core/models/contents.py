"""What model files store: packed masks, weights, batch-norm statistics, and what these must be."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rst_core.identity import FineTuned, Ticket, Trained
from rst_core.models.masks import kept_count, score_shape
from rst_core.models.networks import layout
from rst_core.settings import NetworkSettings
from rst_core.vocabulary import Pattern


def pack_mask(mask: Tensor) -> bytes:
    """A boolean mask as compressed bits, in the order of its elements."""
    return zlib.compress(np.packbits(mask.numpy().ravel()).tobytes(), 9)


def unpack_mask(packed: bytes, shape: tuple[int, ...]) -> Tensor:
    """The mask of ``shape`` that :func:`pack_mask` packed; ``ValueError`` if it is none."""
    count, unzip = int(np.prod(shape)), zlib.decompressobj()
    try:
        data = unzip.decompress(packed, count // 8 + 2)
    except zlib.error as error:
        raise ValueError(f"a packed mask cannot be unpacked: {error}") from None
    if len(data) != (count + 7) // 8 or not unzip.eof or unzip.unused_data:
        raise ValueError(f"a packed mask is not of {count} elements")
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=count)
    return torch.from_numpy(bits.astype(bool)).view(shape)


def pack_masks(masks: dict[str, Tensor]) -> dict[str, Any]:
    """Masks of all layers as one byte tensor with an index."""
    packed = [pack_mask(mask) for mask in masks.values()]
    index = [
        (name, list(mask.shape), len(data))
        for (name, mask), data in zip(masks.items(), packed, strict=True)
    ]
    data = torch.frombuffer(bytearray(b"".join(packed)), dtype=torch.uint8)
    return {"index": index, "data": data}


def unpack_masks(stored: dict[str, Any]) -> dict[str, Tensor]:
    """The masks that :func:`pack_masks` packed; ``ValueError`` if they are none."""
    if stored["data"].dtype != torch.uint8 or stored["data"].dim() != 1:
        raise ValueError("its packed masks are no bytes")
    data, masks, start = bytes(stored["data"].numpy()), {}, 0
    for name, shape, size in stored["index"]:
        masks[name] = unpack_mask(data[start : start + size], tuple(shape))
        start += size
    if start != len(data):
        raise ValueError(f"its masks are {len(data)} bytes, its index says {start}")
    return masks


def check_contents(
    identity: Trained, network: NetworkSettings, classes: int, contents: dict[str, Any]
) -> None:
    """Check names, shapes, types, finiteness and mask counts of what a trainee hands over.

    Raises ``ValueError`` saying what cannot be.
    """
    shapes, norms = layout(network, classes)
    masked, foreign = isinstance(identity, Ticket), "others" in contents
    # A foreign ticket's weights come from no seed.
    parts = ["masks"] * masked + ["weights"] * (foreign or not masked) + ["others"] * foreign
    if set(contents) != {*parts, "batch_norm"}:
        raise ValueError(
            f"it holds {', '.join(map(str, contents))}, not {', '.join(parts)} and batch_norm"
        )
    _check_statistics(contents["batch_norm"], norms)
    for name, value in contents.get("others", {}).items():
        _check_tensor(name, value, (value.numel(),))
    if "weights" in parts:
        _check_names(contents["weights"], shapes)
        for name, weight in contents["weights"].items():
            _check_tensor(name, weight, tuple(shapes[name]))
    # How much a foreign model keeps was checked before, by the rules of its code.
    if isinstance(identity, Ticket):
        masks = unpack_masks(contents["masks"])
        _check_names(masks, shapes)
        for name, mask in masks.items():
            wanted = score_shape(shapes[name], Pattern.ELEMENT if foreign else identity.pattern)
            if tuple(mask.shape) != wanted:
                raise ValueError(f"the mask of {name} is {tuple(mask.shape)}, expected {wanted}")
            if not foreign:
                kept = int(mask.count_nonzero())
                _check_count(identity, name, kept, mask.numel(), exactly=True)
    elif isinstance(identity, FineTuned) and not foreign:
        for name, weight in contents["weights"].items():
            # Row, kernel or filter: whole groups of weights stay or go.
            groups = int(np.prod(score_shape(shapes[name], identity.ticket.pattern)))
            left = int(weight.reshape(groups, -1).any(1).count_nonzero())
            _check_count(identity.ticket, name, left, groups, exactly=False)


def _check_statistics(statistics: Any, norms: list[int]) -> None:
    _check_tensor("batch_norm", statistics, (2 * sum(norms),))
    for part in statistics.split([2 * channels for channels in norms]):
        if bool((part[len(part) // 2 :] < 0).any()):
            raise ValueError("a variance in batch_norm is negative")


def _check_count(ticket: Ticket, name: str, kept: int, groups: int, *, exactly: bool) -> None:
    wanted = kept_count(groups, ticket.keep_ratio)
    if kept > wanted or (exactly and kept < wanted):
        raise ValueError(
            f"{name} keeps {kept} of {groups}, at keep ratio {ticket.keep_ratio} that is {wanted}"
        )


def _check_names(found: Iterable[str], expected: Iterable[str]) -> None:
    if list(found) != list(expected):
        raise ValueError("its layers are not those of its network")


def _check_tensor(name: str, value: object, shape: tuple[int, ...]) -> None:
    if not isinstance(value, Tensor) or value.layout != torch.strided:
        raise ValueError(f"{name} is no tensor")
    if value.dtype != torch.float32 or tuple(value.shape) != shape:
        found = f"{value.dtype} of shape {tuple(value.shape)}"
        raise ValueError(f"{name} is {found}, expected torch.float32 of shape {shape}")
    if not bool(value.isfinite().all()):
        raise ValueError(f"{name} holds values that are not finite")

"""Model files: small, inert, and enough to get a plain ``nn.Module`` back.

A ticket file holds identity, packed masks, batch-norm statistics and provenance; the
frozen weights come back from the seed, or for an RTT from the dense's file beside it. A
weights file (dense, fine-tuned) holds the weights as well. Loading executes nothing.
"""

from __future__ import annotations

import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rst_core.files import digest, load_tensors, save_tensors
from rst_core.networks import (
    Classifier,
    build_classifier,
    classifier_weight_name,
    draw_layer,
    draw_weights,
    prunable_weights,
)
from rst_core.settings import DatasetSettings, NetworkSettings
from rst_core.spec import Dense, FineTuned, Ticket, Trained, TrainingCell, parse_model
from rst_core.vocabulary import Architecture, Init, Origin, Selection, Start

FORMAT = 2


@dataclass(frozen=True)
class Head:
    """What a model file keeps of its dataset: classes and normalisation."""

    classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    @classmethod
    def of(cls, dataset: DatasetSettings) -> Head:
        """The head that a dataset needs."""
        return cls(dataset.classes, dataset.mean, dataset.std)


def pack_mask(mask: Tensor) -> bytes:
    """A boolean mask as compressed bits, in the order of its elements."""
    return zlib.compress(np.packbits(mask.numpy().ravel()).tobytes(), 9)


def unpack_mask(packed: bytes, shape: tuple[int, ...]) -> Tensor:
    """The mask of ``shape`` that :func:`pack_mask` packed."""
    bits = np.unpackbits(
        np.frombuffer(zlib.decompress(packed), dtype=np.uint8), count=int(np.prod(shape))
    )
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
    """The masks that :func:`pack_masks` packed, by parameter name."""
    data, masks, start = bytes(stored["data"].numpy()), {}, 0
    for name, shape, size in stored["index"]:
        masks[name] = unpack_mask(data[start : start + size], tuple(shape))
        start += size
    return masks


def batch_norm_statistics(model: nn.Module) -> Tensor:
    """Running means and variances of all batch norms, in module order, as one vector."""
    parts = [
        part.detach().cpu()
        for module in model.modules()
        if isinstance(module, nn.BatchNorm2d)
        for part in (module.running_mean, module.running_var)
        if part is not None
    ]
    return torch.cat(parts)


def set_batch_norm_statistics(model: nn.Module, statistics: Tensor) -> None:
    """Put back what :func:`batch_norm_statistics` took.

    Raises:
        ValueError: if the number of values differs.
    """
    start = 0
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for part in (module.running_mean, module.running_var):
                assert part is not None
                part.copy_(statistics[start : start + part.numel()])
                start += part.numel()
    if start != len(statistics):
        raise ValueError(f"{len(statistics)} batch-norm values, but the network has {start}")


def save_model(
    path: Path,
    identity: Trained,
    network: NetworkSettings,
    head: Head,
    contents: dict[str, Any],
    provenance: dict[str, Any],
) -> None:
    """Write a model file; ``contents`` is what the trainee hands over."""
    save_tensors(
        path,
        {
            "format": FORMAT,
            "identity": identity.path,
            "network": {"architecture": network.architecture.value, "width": network.width},
            "head": asdict(head),
            "contents": contents,
            "provenance": provenance,
        },
    )


def read_model_file(path: Path) -> dict[str, Any]:
    """The contents of a model file.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is damaged or of another format.
    """
    stored = load_tensors(path)
    if not isinstance(stored, dict) or stored.get("format") != FORMAT:
        found = stored.get("format") if isinstance(stored, dict) else type(stored).__name__
        raise ValueError(f"{path} has format {found!r}; this version reads format {FORMAT}")
    return stored


def model_digest(path: Path) -> str:
    """Hex digest of a model file but for its provenance.

    A model that is made again, bit for bit the same, keeps it, and with it everything that was
    made from the model. Raises as :func:`read_model_file` does.
    """
    return _digest(read_model_file(path))


def _digest(stored: dict[str, Any]) -> str:
    return digest({name: part for name, part in stored.items() if name != "provenance"})


def load_model(path: Path, dense: Path | None = None) -> Classifier:
    """Load a ticket or weights file as a plain module on [0, 1] images.

    Args:
        path: the model file.
        dense: for a ticket drawn from a dense, that dense's weights file.

    Returns:
        The model in evaluation mode on the CPU; its weights are already masked, and no
        parameter requires a gradient.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is damaged, or the dense is not the one the search used.
    """
    stored = read_model_file(path)
    identity = parse_model(stored["identity"])
    model = empty_model(stored)
    contents = stored["contents"]
    if isinstance(identity, Ticket):
        set_frozen_weights(model, identity, dense, contents.get("dense_digest"))
        masks = unpack_masks(contents["masks"])
        with torch.no_grad():
            for name, weight in prunable_weights(model).items():
                weight.mul_(masks[name])
    else:
        set_weights(model, contents["weights"])
    set_batch_norm_statistics(model, contents["batch_norm"])
    return model.requires_grad_(False).eval()


def empty_model(stored: dict[str, Any]) -> Classifier:
    """The architecture of a model file, without its weights."""
    settings = NetworkSettings(
        architecture=Architecture(stored["network"]["architecture"]),
        width=stored["network"]["width"],
    )
    head = Head(**stored["head"])
    return build_classifier(settings, head.classes, head.mean, head.std)


def set_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Copy weights by parameter name, in place."""
    with torch.no_grad():
        for name, weight in prunable_weights(model).items():
            weight.copy_(weights[name])


def set_frozen_weights(
    model: Classifier, ticket: Ticket, dense: Path | None, expected_digest: str | None = None
) -> None:
    """Put the weights under a ticket's mask into ``model``, in place.

    For an RST they are drawn from the seed. For an RTT they are the dense's; a transferred
    RTT gets its classifier drawn anew, for its own dataset [6.3].

    Raises:
        ValueError: if the dense is missing, of another identity or not the one expected.
    """
    network = ticket.network
    draw_weights(model, network.init, network.seed)
    if ticket.dense is None:
        return
    if dense is None:
        raise ValueError(
            f"{ticket.path} is a mask over {ticket.dense.path}; give that dense's weights file"
        )
    stored = read_model_file(dense)
    if stored["identity"] != ticket.dense.path:
        raise ValueError(f"{dense} holds {stored['identity']}, expected {ticket.dense.path}")
    if expected_digest is not None and _digest(stored) != expected_digest:
        raise ValueError(
            f"{dense} is not the model that {ticket.path} was searched on; search the ticket again"
        )
    if ticket.origin is Origin.RTT_TRANSFERRED:
        weights = dict(stored["contents"]["weights"])
        name = classifier_weight_name(model)
        weights[name] = prunable_weights(model)[name].detach().clone()
        set_weights(model, weights)
    else:
        set_weights(model, stored["contents"]["weights"])


def set_starting_weights(
    model: Classifier, identity: Dense | FineTuned, ticket: Path | None, dense: Path | None
) -> dict[str, Tensor] | None:
    """Put the weights from which training starts into ``model``, in place.

    Returns:
        The fixed masks of a fine-tuned ticket, by parameter name; None for a dense.
    """
    network = identity.network
    if isinstance(identity, Dense):
        draw_weights(model, network.init, network.seed)
        return None
    if ticket is None:
        raise ValueError(f"{identity.path} starts from {identity.ticket.path}; give that ticket")
    stored = read_model_file(ticket)
    if stored["identity"] != identity.ticket.path:
        raise ValueError(f"{ticket} holds {stored['identity']}, expected {identity.ticket.path}")
    if identity.start is Start.INHERITED:
        expected = stored["contents"].get("dense_digest")
        set_frozen_weights(model, identity.ticket, dense, expected)
        set_batch_norm_statistics(model, stored["contents"]["batch_norm"])
    else:
        for name, weight in prunable_weights(model).items():
            # A name of its own: the network itself may have been drawn Kaiming normal.
            draw_layer(f"reinitialised {name}", weight, Init.KAIMING_NORMAL, network.seed)
    return unpack_masks(stored["contents"]["masks"])


def model_path(root: Path, model: Trained, selection: Selection) -> Path:
    """Where a model's file is, below the folder of all cells."""
    return root / TrainingCell(model, selection).path


def load_trained(root: Path, model: Trained, selection: Selection) -> Classifier:
    """Load a model by its identity; see :func:`load_model` for what is returned and raised."""
    path = model_path(root, model, selection)
    dense = None
    if isinstance(model, Ticket) and model.dense is not None:
        base = Selection(read_model_file(path)["contents"]["dense_selection"])
        dense = model_path(root, model.dense, base)
    return load_model(path, dense)

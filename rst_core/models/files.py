"""Model files: small, inert, and enough to get a plain ``nn.Module`` back.

A ticket file holds identity, packed masks, batch-norm statistics and provenance; the
frozen weights come back from the seed, or for an RTT from the dense's file beside it. A
weights file (dense, fine-tuned) holds the weights as well. Loading executes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rst_core.document import from_document
from rst_core.identity import Dense, FineTuned, Model, Ticket, Trained, TrainingCell, parse_cell
from rst_core.key import IMPORT, TRAINING, Inputs, bases_of, read_settings
from rst_core.models.contents import check_contents, unpack_masks
from rst_core.models.networks import (
    Classifier,
    build_classifier,
    classifier_weight_name,
    draw_layer,
    draw_weights,
    prunable_weights,
)
from rst_core.ranges import require
from rst_core.records import check_inputs, check_named
from rst_core.settings import DatasetSettings, NetworkSettings
from rst_core.storage import (
    IMPOSSIBLE,
    MODEL,
    DamagedFileError,
    digest,
    load_tensors,
    read_header,
    save_tensors,
)
from rst_core.vocabulary import Init, Origin, Selection, Start


@dataclass(frozen=True)
class Head:
    """What a model file keeps of its dataset: classes and normalisation."""

    classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        require(self.classes >= 2, "classes", self.classes, "2 or more")
        require(min(self.std) > 0, "std", self.std, "numbers above 0")

    @classmethod
    def of(cls, dataset: DatasetSettings) -> Head:
        """The head that a dataset needs."""
        return cls(dataset.classes, dataset.mean, dataset.std)


def _statistics(model: nn.Module) -> list[Tensor]:
    """Running means and variances of all batch norms, in module order."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    return [norm.get_buffer(part) for norm in norms for part in ("running_mean", "running_var")]


def batch_norm_statistics(model: nn.Module) -> Tensor:
    """Running means and variances of all batch norms, in module order, as one vector."""
    return torch.cat([part.detach().cpu() for part in _statistics(model)])


def set_batch_norm_statistics(model: nn.Module, statistics: Tensor) -> None:
    """Put back what :func:`batch_norm_statistics` took; ``ValueError`` for another number."""
    own = _statistics(model)
    if (count := sum(map(len, own))) != len(statistics):
        raise ValueError(f"{len(statistics)} batch-norm values, but the network has {count}")
    for part, values in zip(own, torch.split(statistics, list(map(len, own))), strict=True):
        part.copy_(values)


class ModelFile(NamedTuple):
    """A model file that was read and found right: masks or weights, and batch-norm statistics."""

    header: dict[str, Any]
    contents: dict[str, Any]
    identity: Trained
    network: NetworkSettings
    head: Head

    @property
    def dense_digest(self) -> str | None:
        """The digest of the dense under a ticket; None under an RST."""
        return next(iter(self.header["bases"].values()), None)

    def empty(self) -> Classifier:
        """The architecture, without its weights."""
        return build_classifier(self.network, self.head.classes, self.head.mean, self.head.std)

    def set_weights(self, model: Classifier, dense: Path | None) -> None:
        """Put the weights into ``model``, in place; of a ticket those under its mask.

        Raises as :func:`set_frozen_weights` does.
        """
        if "weights" not in self.contents:
            assert isinstance(self.identity, Ticket)
            set_frozen_weights(model, self.identity, dense, self.dense_digest)
            return
        _copy_weights(model, self.contents["weights"])
        # Affine batch norms and biases, which foreign networks may have.
        for name, value in self.contents.get("others", {}).items():
            module, _, part = name.rpartition(".")
            setattr(model.get_submodule(module), part, nn.Parameter(value.clone()))


def save_model(
    path: Path,
    identity: Trained,
    network: NetworkSettings,
    head: Head,
    contents: dict[str, Any],
    provenance: dict[str, Any],
    *,
    selection: Selection = Selection.BEST_VAL,
    inputs: Inputs = Inputs(),  # noqa: B008 - frozen
) -> None:
    """Write a model file of a trainee's contents; ``ValueError`` if they cannot be its."""
    cell = TrainingCell(identity, selection)
    check_contents(identity, network, head.classes, contents)
    described = json.loads(json.dumps({"network": asdict(network), "head": asdict(head)}))
    bases = inputs.bases
    header = {
        "identity": cell.path,
        **inputs.record_fields(cell.path, "bases"),
        **described,
        "contents": _digest(identity, described, bases, contents),
        "provenance": provenance,
    }
    save_tensors(path, contents, MODEL, header)


def _digest(
    identity: Trained, header: dict[str, Any], bases: dict[str, str], contents: dict[str, Any]
) -> str:
    """What tells two models apart; one that is made again, bit for bit the same, keeps it."""
    return digest(
        {
            "identity": identity.path,
            "network": header["network"],
            "head": header["head"],
            "bases": bases,
            "contents": contents,
        }
    )


def read_model(path: Path) -> ModelFile:
    """A model file, all of it verified.

    Raises ``FileNotFoundError``; ``DamagedFileError`` if it is not as it was written, is another
    model's, or says what cannot be; ``OtherVersionError`` if another version wrote it.
    """
    header, contents = load_tensors(path, MODEL)
    try:
        identity, network, head = _check_header(path, header)
        check_contents(identity, network, head.classes, contents)
        if _digest(identity, header, header["bases"], contents) != header["contents"]:
            raise ValueError("its digest is of other contents")
    except IMPOSSIBLE as error:
        raise DamagedFileError(path, error) from None
    return ModelFile(header, contents, identity, network, head)


def _check_header(path: Path, header: dict[str, Any]) -> tuple[Trained, NetworkSettings, Head]:
    """Identity, architecture and head of a model file, once its header is found right."""
    cell = parse_cell(header["identity"])
    if not isinstance(cell, TrainingCell):
        raise ValueError(f"it holds {header['identity']}, which is no model")
    check_named(path, cell.path)
    check_inputs(cell.path, header, "bases")
    network = from_document(NetworkSettings, header["network"], "network")
    head = from_document(Head, header["head"], "head")
    settings, made = header["settings"], [parse_cell(base).model for base in header["bases"]]
    if settings:
        found = read_settings(settings, IMPORT if "layout" in settings else TRAINING)
        if found["network"] != network:
            raise ValueError("its network is not that of its settings")
        if Head.of(found["dataset"]) != head:
            raise ValueError("its classes or normalisation are not those of its dataset")
    wanted = bases_of(cell.model) if settings or isinstance(cell.model, Ticket) else made
    if [model.path for model in wanted] != [model.path for model in made]:
        raise ValueError("it was made from other models than it names")
    return cell.model, network, head


def load_model(path: str | Path, dense: str | Path | None = None) -> Classifier:
    """Load a ticket or weights file as a plain module on [0, 1] images.

    ``dense`` is the weights file of the dense that a ticket was drawn from, if it was. The model is
    in evaluation mode, on the CPU, masked; no parameter requires a gradient.

    Raises ``FileNotFoundError``; ``ValueError`` if a file is damaged, or the dense is not the one
    that the search used.
    """
    file = read_model(Path(path))
    model = file.empty()
    file.set_weights(model, None if dense is None else Path(dense))
    if "masks" in file.contents:
        masks = unpack_masks(file.contents["masks"])
        with torch.no_grad():
            for name, weight in prunable_weights(model).items():
                weight.mul_(masks[name])
    set_batch_norm_statistics(model, file.contents["batch_norm"])
    return model.requires_grad_(False).eval()


def _copy_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    with torch.no_grad():
        for name, weight in prunable_weights(model).items():
            weight.copy_(weights[name])


def _read_base(path: Path | None, wanted: Trained, missing: str) -> ModelFile:
    """The file of a model that another one is made from."""
    if path is None:
        raise ValueError(missing)
    file = read_model(path)
    if file.identity != wanted:
        raise ValueError(f"{path} holds {file.header['identity']}, expected {wanted.path}")
    return file


def set_frozen_weights(
    model: Classifier, ticket: Ticket, dense: Path | None, expected_digest: str | None = None
) -> None:
    """Put the weights under a ticket's mask into ``model``, in place.

    For an RST they are drawn from the seed. For an RTT they are the dense's; a transferred RTT gets
    its classifier drawn anew, for its own dataset [6.3]. Raises ``ValueError`` if the dense is
    missing, of another identity or not the one expected.
    """
    draw_weights(model, ticket.network.init, ticket.network.seed)
    if ticket.dense is None:
        return
    missing = f"{ticket.path} is a mask over {ticket.dense.path}; give that dense's weights file"
    file = _read_base(dense, ticket.dense, missing)
    if expected_digest is not None and file.header["contents"] != expected_digest:
        raise ValueError(
            f"{dense} is not the model that {ticket.path} was searched on; search the ticket again"
        )
    weights = dict(file.contents["weights"])
    if ticket.origin is Origin.RTT_TRANSFERRED:
        name = classifier_weight_name(model)
        weights[name] = prunable_weights(model)[name].detach().clone()
    _copy_weights(model, weights)


def set_starting_weights(
    model: Classifier, identity: Dense | FineTuned, bases: Mapping[Model, Path]
) -> dict[str, Tensor] | None:
    """Put the weights from which training starts into ``model``, in place.

    ``bases`` are the files of what it starts from. Returns the fixed masks of a fine-tuned
    ticket, by parameter name; None for a dense.
    """
    network = identity.network
    if isinstance(identity, Dense):
        draw_weights(model, network.init, network.seed)
        return None
    ticket = identity.ticket
    missing = f"{identity.path} starts from {ticket.path}; give that ticket"
    file = _read_base(bases.get(ticket), ticket, missing)
    if identity.start is Start.INHERITED:
        if file.contents.get("others"):
            raise ValueError(
                f"{bases[ticket]} has affine batch norms or biases, which fine-tuning does not "
                "train; fine-tune it where it was made, and import the result"
            )
        file.set_weights(model, bases[ticket.dense] if ticket.dense else None)
        set_batch_norm_statistics(model, file.contents["batch_norm"])
    else:
        for name, weight in prunable_weights(model).items():
            # A name of its own: the network itself may have been drawn Kaiming normal.
            draw_layer(f"reinitialised {name}", weight, Init.KAIMING_NORMAL, network.seed)
    return unpack_masks(file.contents["masks"])


def model_path(root: Path, model: Trained, selection: Selection) -> Path:
    """Where a model's file is, below the folder of all cells."""
    return root / TrainingCell(model, selection).path


def load_trained(root: Path, model: Trained, selection: Selection) -> Classifier:
    """Load a model by its identity; see :func:`load_model` for what is returned and raised."""
    path = model_path(root, model, selection)
    return load_model(path, base_below(path, root) if isinstance(model, Ticket) else None)


def base_below(ticket: Path, root: Path) -> Path | None:
    """The file of the dense that a ticket was searched on, below the folder of all cells."""
    return next((root / base for base in read_header(ticket, MODEL)["bases"]), None)

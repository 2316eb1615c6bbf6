"""Foreign checkpoints, made into what our own model files hold.

The released code (GATECH-EIC/Robust-Scratch-Ticket: utils/conv_type.py, models/resnet_cifar.py,
models/wide_resnet.py) saves ``state_dict`` inside a dictionary, every name behind ``module.``; its
convolutions have ``weight`` and ``scores``, the classifier is a 1x1 convolution, and the keep ratio
is not in the file. It keeps all but ``int((1 - keep ratio) * n)`` of a layer's n scores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rst_core.identity import Dense, Ticket
from rst_core.models.contents import pack_masks
from rst_core.models.files import batch_norm_statistics
from rst_core.models.networks import Classifier, prunable_weights
from rst_core.vocabulary import Architecture, CheckpointLayout

#: A block of the released WideResNet: its stage, and its number in that stage of five.
_WIDE_STAGE = re.compile(r"block([123])\.layer\.(\d+)\.")


def read_foreign(
    path: Path,
    layout: CheckpointLayout,
    identity: Dense | Ticket,
    architecture: Architecture,
    empty: Classifier,
) -> dict[str, Any]:
    """The contents of a model file, from somebody else's checkpoint; nothing in it is executed.

    ``empty`` is the architecture's network, whose statistics are overwritten. Returned are weights,
    batch-norm statistics, other parameters (affine batch norms, a bias of the classifier), and of a
    ticket, whose keep ratio and pattern must be the file's, the masks.

    Raises ``FileNotFoundError``; ``ValueError`` naming what is missing, too much, of another shape
    or of another keep ratio.
    """
    state = _state(_load(path), empty, path)
    if layout is CheckpointLayout.RELEASED:
        state = {_renamed(name, architecture): value for name, value in state.items()}
    scores = {
        f"{name.rpartition('.')[0]}.weight": state.pop(name)
        for name in [n for n in state if n.endswith((".scores", ".popup_scores"))]
    }
    weights = prunable_weights(empty)
    contents: dict[str, Any] = {
        "weights": {n: _taken(state, n, tuple(w.shape), path) for n, w in weights.items()}
    }
    for name, module in empty.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            for part in ("running_mean", "running_var"):
                own = module.get_buffer(part)
                own.copy_(_taken(state, f"{name}.{part}", tuple(own.shape), path))
    contents["batch_norm"] = batch_norm_statistics(empty)
    contents["others"] = _taken_others(state, empty, path)
    if isinstance(identity, Ticket):
        masks = _masks(contents["weights"], scores, layout, identity, path)
        contents["masks"] = pack_masks(masks)
    elif scores:
        raise ValueError(
            f"{path} holds scores, so it is a ticket; name it as one, not as {identity.path}"
        )
    return contents


def _load(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist") from None
    except Exception as error:  # bytes of any other kind make the unpickler raise anything
        raise ValueError(
            f"{path} holds more than tensors and plain values, or is no checkpoint; save its "
            "state_dict alone with torch.save"
        ) from error


def _state(stored: Any, empty: Classifier, path: Path) -> dict[str, Tensor]:
    """Tensors by our names, as far as these do not depend on the architecture."""
    if isinstance(stored, Mapping):
        stored = stored.get("state_dict", stored)
    if not isinstance(stored, Mapping) or not all(isinstance(v, Tensor) for v in stored.values()):
        raise ValueError(f"{path} holds no state dict: tensors by name, or these as 'state_dict'")
    named = {str(n).removeprefix("module."): v.detach() for n, v in stored.items()}
    # Only what this package saved holds its normalisation.
    for name in ("mean", "std"):
        own, found = empty.get_buffer(name).flatten(), named.pop(name, None)
        if found is not None and not torch.allclose(found.flatten().to(own), own):
            raise ValueError(
                f"{path} normalises with {name} {found.flatten().tolist()}; the config's {name} of "
                f"its dataset is {own.tolist()}"
            )
    inside = {n.removeprefix("network."): v for n, v in named.items()}
    return {f"network.{n}": v for n, v in inside.items() if not n.endswith("num_batches_tracked")}


def _renamed(name: str, architecture: Architecture) -> str:
    if architecture is not Architecture.WIDE_RESNET34:
        return name
    name = _WIDE_STAGE.sub(lambda m: f"blocks.{5 * (int(m[1]) - 1) + int(m[2])}.", name)
    name = name.replace(".convShortcut.", ".shortcut.").replace(
        "network.fc.", "network.classifier."
    )
    return re.sub(r"^network\.bn1\.", "network.bn.", name)


def _taken(state: dict[str, Tensor], name: str, shape: tuple[int, ...], path: Path) -> Tensor:
    """Take a tensor out; a 1x1 convolution may stand for a linear layer."""
    if name not in state:
        raise ValueError(f"{path} has no {name}; it is of another network than the config says")
    value = state.pop(name).float()
    if value.shape != shape and (*shape, 1, 1) != tuple(value.shape):
        raise ValueError(
            f"{path}: {name} has the shape {tuple(value.shape)}; the config's network has {shape}"
        )
    return value.reshape(shape).contiguous()


def _taken_others(state: dict[str, Tensor], model: Classifier, path: Path) -> dict[str, Tensor]:
    """What is left: affine parameters of batch norms, and biases."""
    kinds = (nn.BatchNorm2d, nn.Conv2d, nn.Linear)
    layers = {name for name, module in model.named_modules() if isinstance(module, kinds)}
    allowed = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    if unknown := state.keys() - allowed:
        raise ValueError(
            f"{path} has {', '.join(sorted(unknown)[:3])}, which the config's network lacks"
        )
    return {name: value.float().flatten().contiguous() for name, value in state.items()}


def _masks(
    weights: dict[str, Tensor],
    scores: dict[str, Tensor],
    layout: CheckpointLayout,
    ticket: Ticket,
    path: Path,
) -> dict[str, Tensor]:
    """A ticket's masks: of scores by the released rule, or of a state dict where it is not zero."""
    if layout is CheckpointLayout.RELEASED and scores.keys() != weights.keys():
        missing = sorted(weights.keys() ^ scores.keys())
        raise ValueError(
            f"{path} has no scores for {missing[0]}, so {ticket.path} is no ticket of it"
        )
    masks = {}
    for name, weight in weights.items():
        if layout is CheckpointLayout.RELEASED:
            masks[name] = _by_scores(scores[name], weight, ticket.keep_ratio)
        else:
            masks[name] = weight != 0
            kept = int(masks[name].count_nonzero())
            # The nearest integer, or what the released code rounds to.
            if abs(kept - ticket.keep_ratio * weight.numel()) > max(1.0, 0.01 * weight.numel()):
                raise ValueError(
                    f"{path}: {kept / weight.numel():.3g} of {name} are not zero; "
                    f"{ticket.path} keeps {ticket.keep_ratio:g}"
                )
    return masks


def _by_scores(scores: Tensor, weight: Tensor, keep_ratio: float) -> Tensor:
    mask = torch.ones(scores.numel(), dtype=torch.bool)
    pruned = int((1 - keep_ratio) * scores.numel())
    mask[scores.abs().flatten().sort(stable=True).indices[:pruned]] = False
    spread = mask.view(*scores.shape, *(1,) * (4 - scores.dim()))
    as_convolution = weight.shape if weight.dim() == 4 else (*weight.shape, 1, 1)
    return spread.expand(as_convolution).reshape(weight.shape).contiguous()

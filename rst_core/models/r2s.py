"""Random RST Switch: what the adversary attacks, and the module that users deploy [6.2, 6.3]."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from rst_core.attacks.gradient import LogitFunction
from rst_core.identity import Ticket
from rst_core.models.contents import pack_mask, unpack_masks
from rst_core.models.files import (
    ModelFile,
    batch_norm_statistics,
    read_model,
    set_batch_norm_statistics,
)
from rst_core.models.networks import Classifier, prunable_weights
from rst_core.storage import digest
from rst_core.vocabulary import AttackMethod


def adversary_view(members: Sequence[LogitFunction], method: AttackMethod) -> LogitFunction:
    """What an attack on a candidate set differentiates [6.3].

    Ensemble sees the averaged logits, N x classes. All others see the logits of every member, M x N
    x classes: EOT averages their losses' gradients, the rest combine them as
    :class:`~rst_core.vocabulary.Combination` says. Raises ``ValueError`` for a method on one model.
    """
    if not method.on_sets:
        allowed = ", ".join(m for m in AttackMethod if m.on_sets)
        raise ValueError(f"{method} attacks one model; against a candidate set use {allowed}")

    def each(images: Tensor) -> Tensor:
        # The activations of six wide networks at once do not fit a GPU: a member's are
        # dropped and computed again when its gradient is taken.
        logits = [
            checkpoint(member, images, use_reentrant=False, preserve_rng_state=False)
            for member in members
        ]
        return torch.stack(logits)

    if method is AttackMethod.ENSEMBLE:
        return lambda images: each(images).mean(0)
    return each


def _masked(layer: nn.Conv2d | nn.Linear) -> Tensor:
    """Weight times int8 mask: faster than ``weight * mask``, which allocates twice, or a bool."""
    return layer.get_buffer("mask").to(layer.weight.dtype).mul_(layer.weight)


class _MaskedConv2d(nn.Conv2d):
    """A convolution whose weight is shared with other tickets, under a mask of its own."""

    def forward(self, input: Tensor) -> Tensor:
        out: Tensor = self._conv_forward(input, _masked(self), self.bias)
        return out


class _MaskedLinear(nn.Linear):
    """The same for a linear layer."""

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, _masked(self), self.bias)


class RandomSwitch(nn.Module):
    """Several tickets over one set of shared weights, one of them drawn at random [6.2].

    Each ticket is a module of its own in ``tickets``, with its masks and batch-norm statistics as
    buffers; the weights are one and the same parameters in all of them. A call changes nothing but
    the state of the draws, so threads can share the module, any attack can differentiate it, and
    ``torch.export`` takes each of ``tickets``. ``state_dict`` holds the weights once, and all masks
    and statistics; a state of other tickets is refused. In memory a mask is a byte a weight.

    Args:
        model: holds the frozen weights, unmasked; it is left as it is and shares its weights.
        masks: for each ticket its boolean masks by parameter name.
        statistics: for each ticket its batch-norm statistics.
        switch: draw one ticket a ``call``, or one an ``image``.
        seed: seed of the draws; None draws anew in every process.

    Raises:
        ValueError: for fewer than two tickets, or an unknown ``switch``.
    """

    def __init__(
        self,
        model: Classifier,
        masks: Sequence[dict[str, Tensor]],
        statistics: Sequence[Tensor],
        *,
        switch: Literal["call", "image"] = "image",
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if len(masks) < 2 or len(masks) != len(statistics):
            raise ValueError(
                f"got {len(masks)} masks and {len(statistics)} batch-norm statistics; "
                "R2S switches among at least two tickets, each with both"
            )
        if switch not in ("call", "image"):
            raise ValueError(f"switch is {switch!r}; allowed is 'call' or 'image'")
        model.requires_grad_(False)
        self.tickets = nn.ModuleList(_over_shared_weights(model, of_one) for of_one in masks)
        for ticket, values in zip(self.tickets, statistics, strict=True):
            set_batch_norm_statistics(ticket, values)
        self.switch = switch
        self._rng = torch.Generator()
        self._rng.seed() if seed is None else self._rng.manual_seed(seed)
        self.register_state_dict_post_hook(_leave_out_shared_weights)  # type: ignore[no-untyped-call]
        self.eval()

    def __len__(self) -> int:
        return len(self.tickets)

    def train(self, mode: bool = True) -> RandomSwitch:
        """Set ``training``; the tickets themselves always evaluate."""
        self.training = mode
        self.tickets.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Images in [0, 1], N x 3 x H x W, to logits, N x classes, each by a drawn ticket."""
        if self.switch == "call" or not len(images):
            logits: Tensor = self.tickets[int(self._draw(1))](images)
            return logits
        drawn = self._draw(len(images))
        rows = [(drawn == ticket).nonzero().squeeze(1) for ticket in range(len(self))]
        parts = [
            ticket(images[at.to(images.device)])
            for ticket, at in zip(self.tickets, rows, strict=True)
            if len(at)
        ]
        order = torch.cat(rows).argsort()
        return torch.cat(parts)[order.to(images.device)]

    def overhead(self) -> dict[str, float]:
        """Bytes of what R2S adds to its file, and as a fraction of the shared weights.

        The paper says "negligible (e.g., 3%)" of the total parameters [6.2].
        """
        weights = sum(w.nbytes for w in prunable_weights(self.tickets[0]).values())
        masks = sum(len(pack_mask(mask.cpu().bool())) for mask in self._masks().values())
        norms = sum(batch_norm_statistics(ticket).nbytes for ticket in self.tickets)
        return {
            "weights": weights,
            "masks": masks,
            "batch_norms": norms,
            "masks_a_ticket": masks / len(self) / weights,
            "batch_norms_a_ticket": norms / len(self) / weights,
        }

    def _draw(self, count: int) -> Tensor:
        return torch.randint(len(self), (count,), generator=self._rng)

    def _masks(self, prefix: str = "") -> dict[str, Tensor]:
        buffers = self.named_buffers()
        return {f"{prefix}{name}": mask for name, mask in buffers if name.endswith(".mask")}

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Refuse a state of other tickets before anything is copied; put shared weights back."""
        own = self._masks(prefix)
        given = {
            n: m for n, m in state_dict.items() if n.startswith(prefix) and n.endswith(".mask")
        }
        if own.keys() != given.keys() or not all(
            torch.equal(mask, given[name].to(mask.device)) for name, mask in own.items()
        ):
            raise ValueError(
                f"the state is not of these {len(self)} tickets: it lacks their masks or has "
                "others; build the switch from the same ticket files in the same order"
            )
        for layer, _ in self.tickets[0].named_parameters():
            if (shared := f"{prefix}tickets.0.{layer}") in state_dict:
                for ticket in range(1, len(self)):
                    state_dict.setdefault(f"{prefix}tickets.{ticket}.{layer}", state_dict[shared])
        super()._load_from_state_dict(state_dict, prefix, *rest)


def _over_shared_weights(model: Classifier, masks: dict[str, Tensor]) -> Classifier:
    """A copy of ``model`` that shares its weights and masks them; its statistics are its own."""
    ticket = copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})
    for name, module in ticket.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            masked = _MaskedConv2d if isinstance(module, nn.Conv2d) else _MaskedLinear
            module.__class__ = masked
            weight = module.weight
            mask = masks[f"{name}.weight"].expand(weight.shape).to(weight.device)
            module.register_buffer("mask", torch.empty_like(weight, dtype=torch.int8).copy_(mask))
    return ticket


def _leave_out_shared_weights(
    switch: RandomSwitch, state_dict: dict[str, Any], prefix: str, metadata: object
) -> None:
    for ticket in range(1, len(switch)):
        for name, _ in switch.tickets[ticket].named_parameters():
            state_dict.pop(f"{prefix}tickets.{ticket}.{name}", None)


def load_random_switch(
    tickets: Sequence[Path | str],
    dense: Path | str | None = None,
    *,
    switch: Literal["call", "image"] = "image",
    seed: int | None = None,
) -> RandomSwitch:
    """Load R2S over ticket files that share one set of frozen weights; else ``ValueError``.

    ``dense`` is the weights file of their common dense, if they are RTTs; ``switch`` and ``seed``
    are those of :class:`RandomSwitch`.
    """
    files = [read_model(Path(path)) for path in tickets]
    first = files[0]
    for path, file in zip(tickets, files, strict=True):
        if not isinstance(file.identity, Ticket) or not isinstance(first.identity, Ticket):
            raise ValueError(f"{path} holds {file.identity.path}, which is no ticket")
        if _weights_below(file) != _weights_below(first):
            raise ValueError(f"{path} lies over other weights than {tickets[0]}")
    model = first.empty()
    first.set_weights(model, Path(dense) if dense else None)
    masks = [unpack_masks(file.contents["masks"]) for file in files]
    statistics = [file.contents["batch_norm"] for file in files]
    return RandomSwitch(model, masks, statistics, switch=switch, seed=seed)


def _weights_below(file: ModelFile) -> tuple[object, ...]:
    """What tells apart the weights under tickets."""
    assert isinstance(file.identity, Ticket)
    own = [file.contents["weights"], file.contents["others"]] if "weights" in file.contents else []
    return file.identity.network, file.identity.dense, digest(own) if own else file.dense_digest

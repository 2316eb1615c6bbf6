"""Random RST Switch: what the adversary attacks, and the module that users deploy [6.2, 6.3]."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from rst_core.attacks.gradient import LogitFunction
from rst_core.networks import Classifier, prunable_weights
from rst_core.spec import Ticket, parse_model
from rst_core.tickets import (
    empty_model,
    pack_mask,
    read_model_file,
    set_batch_norm_statistics,
    set_frozen_weights,
    unpack_mask,
    unpack_masks,
)
from rst_core.vocabulary import AttackMethod


def adversary_view(members: Sequence[LogitFunction], method: AttackMethod) -> LogitFunction:
    """What an attack on a candidate set differentiates [6.3].

    Ensemble sees the averaged logits, N x classes. All others see the logits of every member,
    M x N x classes: EOT averages their losses' gradients, the rest combine them as
    :class:`~rst_core.vocabulary.Combination` says.

    Raises:
        ValueError: for a method that attacks one model.
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


class RandomSwitch(nn.Module):
    """Several tickets over one set of shared weights, one of them drawn at random [6.2].

    The weights are stored once; a ticket adds its packed mask and its batch-norm
    statistics (:meth:`overhead`).

    Args:
        model: holds the frozen weights, unmasked; its batch norms are overwritten.
        masks: for each ticket its boolean masks by parameter name.
        statistics: for each ticket its batch-norm statistics.
        switch: draw one ticket a ``call``, or one an ``image``.
        seed: seed of the draws; None draws anew in every process.
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
        self.model = model.requires_grad_(False).eval()
        self.switch = switch
        self._packed = [{n: pack_mask(m) for n, m in ticket.items()} for ticket in masks]
        self._shapes = {n: tuple(m.shape) for n, m in masks[0].items()}
        self._statistics = [s.clone() for s in statistics]
        self._rng = torch.Generator()
        self._rng.seed() if seed is None else self._rng.manual_seed(seed)

    def __len__(self) -> int:
        return len(self._packed)

    def forward(self, images: Tensor) -> Tensor:
        """Images in [0, 1], N x 3 x H x W, to logits, N x classes, each by a drawn ticket."""
        if self.switch == "call":
            return self.with_ticket(int(self._draw(1)), images)
        drawn = self._draw(len(images))
        logits: Tensor | None = None
        for ticket in torch.unique(drawn).tolist():
            at = (drawn == ticket).nonzero().squeeze(1).to(images.device)
            part = self.with_ticket(ticket, images[at])
            if logits is None:
                logits = part.new_empty(len(images), part.shape[1])
            logits = logits.index_copy(0, at, part)
        if logits is None:
            return self.with_ticket(0, images)
        return logits

    def with_ticket(self, ticket: int, images: Tensor) -> Tensor:
        """Logits of one ticket, by its position."""
        set_batch_norm_statistics(self.model, self._statistics[ticket])
        masked = {
            name: weight
            * unpack_mask(self._packed[ticket][name], self._shapes[name]).to(weight.device)
            for name, weight in prunable_weights(self.model).items()
        }
        logits: Tensor = functional_call(self.model, masked, (images,))
        return logits

    def overhead(self) -> dict[str, float]:
        """Memory of what R2S adds, in bytes, and as a fraction of the shared weights.

        The paper says "negligible (e.g., 3%)" of the total parameters [6.2].
        """
        weights = sum(w.numel() * w.element_size() for w in prunable_weights(self.model).values())
        masks = sum(len(m) for ticket in self._packed for m in ticket.values())
        norms = sum(s.numel() * s.element_size() for s in self._statistics)
        return {
            "weights": weights,
            "masks": masks,
            "batch_norms": norms,
            "masks_a_ticket": masks / len(self) / weights,
            "batch_norms_a_ticket": norms / len(self) / weights,
        }

    def _draw(self, count: int) -> Tensor:
        return torch.randint(len(self), (count,), generator=self._rng)


def load_random_switch(
    tickets: Sequence[Path],
    dense: Path | None = None,
    *,
    switch: Literal["call", "image"] = "image",
    seed: int | None = None,
) -> RandomSwitch:
    """Load R2S over ticket files that share one set of frozen weights.

    Args:
        tickets: files of the candidate set.
        dense: weights file of their common dense, if they are RTTs.
        switch: see :class:`RandomSwitch`.
        seed: see :class:`RandomSwitch`.

    Raises:
        ValueError: if the tickets are not over the same weights.
    """
    stored = [read_model_file(path) for path in tickets]
    identities = [parse_model(one["identity"]) for one in stored]
    first = identities[0]
    digests = [one["contents"].get("dense_digest") for one in stored]
    for path, identity, digest in zip(tickets, identities, digests, strict=True):
        if not isinstance(first, Ticket) or not isinstance(identity, Ticket):
            raise ValueError(f"{path} holds {identity.path}, which is no ticket")
        if (identity.network, identity.dense, digest) != (first.network, first.dense, digests[0]):
            raise ValueError(f"{path} lies over other weights than {tickets[0]}")
    assert isinstance(first, Ticket)
    model = empty_model(stored[0])
    set_frozen_weights(model, first, dense, digests[0])
    masks = [unpack_masks(one["contents"]["masks"]) for one in stored]
    statistics = [one["contents"]["batch_norm"] for one in stored]
    return RandomSwitch(model, masks, statistics, switch=switch, seed=seed)

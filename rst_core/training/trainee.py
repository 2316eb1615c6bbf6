"""What a training run trains: scores over frozen weights, or weights (under a fixed mask).

The training loop asks a trainee for its weights once a step and never looks inside.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from rst_core.identity import Ticket
from rst_core.models.contents import pack_masks
from rst_core.models.files import batch_norm_statistics
from rst_core.models.masks import StraightThrough, draw_scores, top_k_mask
from rst_core.models.networks import Classifier, prunable_weights
from rst_core.vocabulary import Pattern, ScoreInit


class Trainee(Protocol):
    """A model with its batch-norm statistics, and the leaf tensors that an optimiser changes."""

    model: Classifier
    variables: dict[str, Tensor]

    def weights(self) -> dict[str, Tensor]:
        """Weights of this step by parameter name, differentiable towards the variables."""

    def contents(self) -> dict[str, Any]:
        """What a model file stores of the present state; shares no memory with it."""


class WeightTrainee:
    """Dense training, or fine-tuning under fixed boolean masks, by parameter name."""

    def __init__(self, model: Classifier, masks: dict[str, Tensor] | None = None) -> None:
        self.model = model.requires_grad_(False)
        self.variables = {
            name: weight.detach().clone().requires_grad_(True)
            for name, weight in prunable_weights(model).items()
        }
        device = next(iter(self.variables.values())).device
        self.masks = None if masks is None else {n: m.to(device) for n, m in masks.items()}

    def weights(self) -> dict[str, Tensor]:
        """The variables themselves, masked if there are masks."""
        if self.masks is None:
            return dict(self.variables)
        return {name: w * self.masks[name] for name, w in self.variables.items()}

    def contents(self) -> dict[str, Any]:
        """Masked weights and batch-norm statistics."""
        weights = {n: w.detach().cpu().clone() for n, w in self.weights().items()}
        return {"weights": weights, "batch_norm": batch_norm_statistics(self.model)}


class MaskTrainee:
    """Mask search: scores are trained, the weights under them never change [3.2]."""

    def __init__(
        self,
        model: Classifier,
        keep_ratio: float,
        pattern: Pattern,
        seed: int,
        score_init: ScoreInit = ScoreInit.RELEASED,
    ) -> None:
        self.model = model.requires_grad_(False)
        self.frozen = {n: w.detach() for n, w in prunable_weights(model).items()}
        self.keep_ratio = keep_ratio
        self.variables = {}
        for name, weight in self.frozen.items():
            scores = draw_scores(weight, name, pattern, seed, score_init).to(weight.device)
            if weight.dim() == 4:
                # In another format each product with the weight takes twice as long on a CPU.
                scores = scores.to(memory_format=model.memory_format)
            self.variables[name] = scores.requires_grad_(True)

    @classmethod
    def of(cls, model: Classifier, ticket: Ticket) -> MaskTrainee:
        """The search for a ticket, the frozen weights being in the model."""
        seed = ticket.network.seed
        return cls(model, ticket.keep_ratio, ticket.pattern, seed, ticket.score_init)

    def weights(self) -> dict[str, Tensor]:
        """The masked weights; gradients pass straight through to the scores."""
        return {
            name: StraightThrough.apply(weight, self.variables[name], self.keep_ratio)  # type: ignore[no-untyped-call]
            for name, weight in self.frozen.items()
        }

    def masks(self) -> dict[str, Tensor]:
        """The present masks in the shape of the scores, on the CPU."""
        with torch.no_grad():
            return {n: top_k_mask(s, self.keep_ratio).cpu() for n, s in self.variables.items()}

    def contents(self) -> dict[str, Any]:
        """Packed masks and batch-norm statistics."""
        return {
            "masks": pack_masks(self.masks()),
            "batch_norm": batch_norm_statistics(self.model),
        }

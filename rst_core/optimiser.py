"""Stochastic gradient descent with momentum, by torch's own arithmetic.

``torch.optim.SGD`` computes the same, but making any ``torch.optim.Optimizer`` imports
torch's compiler: seconds of every job's start, for nothing that is used here.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.sgd import sgd


class Sgd:
    """What ``torch.optim.SGD`` does to one group of variables, without dampening or Nesterov.

    Attributes:
        lr: learning rate of the next step; the training loop sets it.
    """

    def __init__(
        self,
        variables: Iterable[Tensor],
        *,
        lr: float,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        """Begin without any momentum.

        Args:
            variables: leaves of the graph; changed in place by every step.
            lr: learning rate.
            momentum: share of the last step's direction that the next one keeps.
            weight_decay: L2 penalty, added to the gradient as its derivative.
        """
        self.variables = list(variables)
        self.lr = lr
        self.momentum = momentum
        self.weight_decay = weight_decay
        self._directions: list[Tensor | None] = [None] * len(self.variables)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for variable in self.variables:
            variable.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Change every variable that has a gradient."""
        reached = [i for i, variable in enumerate(self.variables) if variable.grad is not None]
        directions = [self._directions[i] for i in reached]
        sgd(
            [self.variables[i] for i in reached],
            [grad for i in reached if (grad := self.variables[i].grad) is not None],
            directions,
            lr=self.lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
        for i, direction in zip(reached, directions, strict=True):
            self._directions[i] = direction

    def state_dict(self) -> dict[str, list[Tensor | None]]:
        """What :meth:`load_state_dict` takes: the last direction of every variable."""
        return {"directions": list(self._directions)}

    def load_state_dict(self, state: dict[str, list[Tensor | None]]) -> None:
        """Go on from a state of the same variables, saved on any device."""
        self._directions = [
            None if direction is None else direction.to(variable.device, copy=True)
            for variable, direction in zip(self.variables, state["directions"], strict=True)
        ]

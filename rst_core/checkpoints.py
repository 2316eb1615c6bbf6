"""The protocol through which training and attacks save, restore and stop.

They know of no file, signal or scheduler; the job of a cell (``rst_core.job``) implements it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

#: Tensors and plain values, nested.
State = dict[str, Any]


class Checkpoints(Protocol):
    """Where unfinished work keeps its state; of several processes each has one of its own."""

    def restore(self) -> State | None:
        """The state that the same work saved before, the same in every process, or None."""

    def maybe_save(self, progress: str, state: Callable[[], State], *, due: bool = False) -> None:
        """Call between two steps: saves the state if it is time, raises if the job must stop.

        All processes call it equally often, and ``state``, if it is called, is called in all of
        them: it may communicate.

        Args:
            progress: how far the work is, in words.
            state: what is to be restored; called only if it is saved.
            due: whether this is a good moment to save.
        """


class NoCheckpoints:
    """Restores nothing, saves nothing, never ends."""

    def restore(self) -> State | None:
        """None."""
        return None

    def maybe_save(self, progress: str, state: Callable[[], State], *, due: bool = False) -> None:
        """Nothing."""


NO_CHECKPOINTS = NoCheckpoints()


def take(found: Mapping[str, Tensor], into: Mapping[str, Tensor]) -> None:
    """Copy restored tensors into those of the same names; raises as :func:`check_alike`."""
    check_alike(found, into)
    for name, value in into.items():
        value.detach().copy_(found[name])


def check_alike(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError`` unless tensors have these names, shapes and types, and are finite."""
    if found.keys() != wanted.keys():
        raise ValueError(f"it holds {', '.join(map(str, found))}")
    for name, value in wanted.items():
        new = found[name]
        plain = not new.is_meta and str(new.layout) == "torch.strided"
        if new.shape != value.shape or new.dtype != value.dtype or not plain:
            raise ValueError(f"{name} is {new.dtype} of {tuple(new.shape)}")
        if value.is_floating_point() and not bool(new.isfinite().all()):
            raise ValueError(f"{name} is not finite")

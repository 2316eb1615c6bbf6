"""Cures for dependencies whose released versions do not import as they are.

Each cure checks that it is needed, and does nothing otherwise. Kept in one place so that
it can be deleted in one place.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from types import ModuleType

import torch


def import_torchvision() -> ModuleType:
    """Import torchvision, also beside a CPU-only build of torch.

    The registry's torchvision is built for CUDA; beside a CPU-only torch its operators
    cannot load, and its import fails on the missing operator schemas. Defining the schemas
    is enough: no operator of torchvision is ever called here.
    """
    if torch.version.cuda is None and torch.version.hip is None:
        for name in ("nms", "qnms"):
            if not hasattr(torch.ops.torchvision, name):
                torch.library.define(
                    f"torchvision::{name}",
                    "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                )
    return importlib.import_module("torchvision")


def import_advertorch() -> ModuleType:
    """Import advertorch's attacks, whose last release needs a helper that torch removed.

    Raises:
        ModuleNotFoundError: naming the package to install.
    """
    import_torchvision()  # which advertorch imports as it is
    importlib.import_module("torch.autograd.gradcheck")
    # The attribute of that name in torch.autograd is a function; the module is only here.
    gradcheck = sys.modules["torch.autograd.gradcheck"]
    if not hasattr(gradcheck, "zero_gradients"):
        gradcheck.zero_gradients = _zero_gradients  # type: ignore[attr-defined]
    return _import("advertorch.attacks", "advertorch")


def import_advertorch_losses() -> ModuleType:
    """Import advertorch's losses, with the cures of :func:`import_advertorch`."""
    import_advertorch()
    return _import("advertorch.loss", "advertorch")


def import_autoattack() -> ModuleType:
    """Import the official Auto-Attack, whichever name it is installed under.

    Raises:
        ModuleNotFoundError: naming the package to install.
    """
    for name in ("autoattack", "pyautoattack"):
        if importlib.util.find_spec(name) is not None:
            return importlib.import_module(name)
    return _import("autoattack", "pyautoattack")


def import_autoattack_module(name: str) -> ModuleType:
    """Import a module of the official Auto-Attack, such as ``square``."""
    return importlib.import_module(f"{import_autoattack().__name__}.{name}")


def _import(module: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise ModuleNotFoundError(
            f"{module} is not installed; install the package {package!r}", name=error.name
        ) from error


def _zero_gradients(x: torch.Tensor | Iterable[torch.Tensor]) -> None:
    """What torch.autograd.gradcheck.zero_gradients did until torch 1.8."""
    for tensor in [x] if isinstance(x, torch.Tensor) else x:
        if tensor.grad is not None:
            tensor.grad.detach_()
            tensor.grad.zero_()

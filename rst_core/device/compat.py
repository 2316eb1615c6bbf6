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

    There its operators cannot load, and its import fails on the missing schemas. Defining these is
    enough: no operator of torchvision is ever called here.
    """
    if torch.version.cuda is None and torch.version.hip is None:
        for name in ("nms", "qnms"):
            if not hasattr(torch.ops.torchvision, name):
                torch.library.define(
                    f"torchvision::{name}",
                    "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                )
    return importlib.import_module("torchvision")


def import_advertorch(module: str = "attacks") -> ModuleType:
    """Import a module of advertorch, whose last release needs a helper that torch removed."""
    import_torchvision()  # which advertorch imports as it is
    importlib.import_module("torch.autograd.gradcheck")
    # The attribute of that name in torch.autograd is a function; the module is only here.
    gradcheck = sys.modules["torch.autograd.gradcheck"]
    if not hasattr(gradcheck, "zero_gradients"):
        gradcheck.zero_gradients = _zero_gradients  # type: ignore[attr-defined]
    return _import(f"advertorch.{module}", "advertorch")


def import_autoattack(module: str = "") -> ModuleType:
    """Import the official Auto-Attack, under either of its names, or a module of it."""
    names = [name for name in ("autoattack", "pyautoattack") if importlib.util.find_spec(name)]
    place = names[0] if names else "autoattack"
    return _import(f"{place}.{module}" if module else place, "pyautoattack")


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

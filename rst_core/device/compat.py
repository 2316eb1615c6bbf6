"""Workarounds for dependencies whose releases do not import with current versions of torch.

Each workaround does nothing where it is not needed.
"""

from __future__ import annotations

import importlib
import importlib.util
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
    # The attribute of that name in torch.autograd is a function.
    gradcheck = importlib.import_module("torch.autograd.gradcheck")
    if not hasattr(gradcheck, "zero_gradients"):
        gradcheck.zero_gradients = _zero_gradients  # type: ignore[attr-defined]
    return _import("advertorch", module)


def import_autoattack(module: str = "autoattack") -> ModuleType:
    """Import a module of the official Auto-Attack: the authors' repository, or PyPI's package."""
    package = "autoattack" if importlib.util.find_spec("autoattack") else "pyautoattack"
    return _import(package, module)


def _import(package: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(f"{package}.{module}")
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise ModuleNotFoundError(
            f"{package} is not installed; install the package of that name", name=package
        ) from error


def _zero_gradients(x: torch.Tensor | Iterable[torch.Tensor]) -> None:
    """What torch.autograd.gradcheck.zero_gradients did until torch 1.8."""
    for tensor in [x] if isinstance(x, torch.Tensor) else x:
        if tensor.grad is not None:
            tensor.grad.detach_()
            tensor.grad.zero_()

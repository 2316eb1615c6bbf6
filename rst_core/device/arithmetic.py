"""How a device computes: in which precision, in which memory format, by which algorithms.

docs/decisions.md has the sources; `make bench` on a GPU is to confirm them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from rst_core.vocabulary import Precision


def memory_format(device: torch.device, precision: Precision) -> torch.memory_format:
    """The format of convolutions' weights and of what they work on.

    A CPU, and a GPU's matrix units, want channels last. A GPU that computes float32 without TF32
    does not use those, and its kernels for channels first are the faster ones.
    """
    if device.type != "cpu" and precision is Precision.FLOAT32:
        return torch.contiguous_format
    return torch.channels_last


@contextmanager
def in_precision(precision: Precision, device: torch.device) -> Iterator[None]:
    """Convolutions and matrix products inside: float32, TF32, or autocast to bfloat16."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = precision is Precision.TF32
    half = precision is Precision.BFLOAT16
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before


def in_force(weight: Tensor) -> str:
    """What convolutions and matrix products with a weight compute in, as torch is set at present.

    A member of :class:`~rst_core.vocabulary.Precision`, or another type that torch has. A device
    that lacks what is set, such as a GPU from before TF32, computes in float32.
    """
    device, backends = weight.device.type, torch.backends
    half = torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if half else weight.dtype
    if dtype is not torch.float32:
        return str(dtype).removeprefix("torch.")
    if device != "cpu":
        tf32 = backends.cudnn.allow_tf32 or backends.cuda.matmul.allow_tf32
        return Precision.TF32 if tf32 else Precision.FLOAT32
    # What torch allows oneDNN, by torch.set_float32_matmul_precision or by itself.
    parts = [getattr(backends.mkldnn, part) for part in ("conv", "matmul")]
    allowed = {part.fp32_precision for part in parts}
    if "bf16" in allowed:
        return Precision.BFLOAT16
    return Precision.TF32 if "tf32" in allowed else Precision.FLOAT32


@contextmanager
def training_step(precision: Precision, device: torch.device) -> Iterator[None]:
    """Around every step of training, whose batches all have one size.

    On a GPU cuDNN tries its algorithms on every new shape and keeps the fastest. Where batches
    shrink, as in attacks that measure, it would go on trying.
    """
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = device.type != "cpu"
    try:
        with in_precision(precision, device):
            yield
    finally:
        torch.backends.cudnn.benchmark = before

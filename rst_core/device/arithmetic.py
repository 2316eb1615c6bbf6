"""How a device computes: in which precision, in which memory format, by which algorithms.

docs/decisions.md has the sources; `make bench` on a GPU is to confirm them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

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

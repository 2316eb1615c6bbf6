"""Several processes of one node on one cell, as ``torchrun`` starts them.

Every process holds the whole model and takes its share of every global batch. Order,
augmentation and attack starts are those of one process, batch norm and gradients those of the
global batch: the number of processes changes results by rounding only. The only collective is
all_reduce, which both backends have for every device.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from rst_core.vocabulary import Device


@dataclass(frozen=True)
class Share:
    """Which part of common work is this process's: number ``rank``, from 0, of ``processes``."""

    rank: int = 0
    processes: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process writes the files of the cell: the first one does."""
        return self.rank == 0

    def rows(self, count: int) -> slice:
        """Rows of a batch of ``count`` images; ``ValueError`` if it cannot be shared evenly."""
        if count % self.processes:
            raise ValueError(
                f"the batch is {count} images; allowed with {self.processes} processes is a "
                f"multiple of {self.processes}: change batch_size or the number of processes"
            )
        each = count // self.processes
        return slice(self.rank * each, (self.rank + 1) * each)


#: The share of a process that works alone.
SINGLE_PROCESS = Share()


def share() -> Share:
    """This process's share: all of it, unless inside :func:`process_group`."""
    if dist.is_available() and dist.is_initialized():
        return Share(dist.get_rank(), dist.get_world_size())
    return SINGLE_PROCESS


def default_device() -> torch.device:
    """The GPU if there is one, under ``torchrun`` the one of this process; else the CPU.

    ``RST_DEVICE`` may ask for one of them: a job that was sent to a GPU must not spend its time on
    a CPU because a driver is missing; ``ValueError`` if there is none. Float32 means float32 on a
    GPU too: torch lets cuDNN round convolutions to TF32 by default.
    """
    wanted = os.environ.get("RST_DEVICE", Device.AUTO)
    if wanted not in list(Device):
        raise ValueError(f"RST_DEVICE is {wanted!r}; allowed is one of {', '.join(Device)}")
    if wanted == Device.CPU or (wanted == Device.AUTO and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        raise ValueError(
            f"a GPU was asked for, but torch {torch.__version__} finds none on "
            f"{socket.gethostname()} (CUDA_VISIBLE_DEVICES is {visible!r}); check that the job "
            "requested one and that nvidia-smi works on that node, or allow --device auto"
        )
    torch.backends.cudnn.allow_tf32 = False  # but in training steps that ask for it
    if share() == SINGLE_PROCESS:
        return torch.device("cuda")
    return torch.device("cuda", torch.cuda.current_device())


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that ``torchrun`` started; ``ValueError`` if there are fewer GPUs."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    backend = "gloo"
    if os.environ.get("RST_DEVICE") != Device.CPU and torch.cuda.is_available():
        wanted, found = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
        if wanted > found:
            raise ValueError(
                f"{wanted} processes, but {found} visible GPUs; allowed is one process a GPU: "
                "lower --nproc-per-node"
            )
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        # Both: small all-reduces run on the CPU and do not wait for the GPU's queue.
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend)
    yield
    # Not after an exception: the others may be waiting in a collective that this process
    # will never join, and leaving in order would wait for them. torchrun ends them all.
    dist.destroy_process_group()


def all_reduce_sum(values: Tensor) -> Tensor:
    """Sum over all processes, elementwise, in place; the same bits in each of them."""
    if share() != SINGLE_PROCESS:
        dist.all_reduce(values)
    return values


def all_reduce_mean(values: Tensor) -> Tensor:
    """Mean over all processes, elementwise, in place."""
    return all_reduce_sum(values).div_(share().processes)


def all_reduce_max(values: Tensor) -> Tensor:
    """Maximum over all processes, elementwise, in place."""
    if share() != SINGLE_PROCESS:
        dist.all_reduce(values, dist.ReduceOp.MAX)
    return values


def max_over_processes(value: int) -> int:
    """The largest value of all processes; returns once each has given its own."""
    return int(all_reduce_max(torch.tensor(value)))


def average_gradients(variables: Iterable[Tensor]) -> None:
    """Average the gradients of leaf tensors over all processes, in place, in one message.

    Each process's loss is the mean over its rows, of one number, so that the average is the
    gradient of the mean over the global batch.
    """
    if share() == SINGLE_PROCESS:
        return
    gradients = [v.grad for v in variables if v.grad is not None]
    flat = all_reduce_mean(torch.cat([g.flatten() for g in gradients]))
    for gradient, part in zip(
        gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True
    ):
        gradient.copy_(part.view_as(gradient))


class _Normalise(torch.autograd.Function):
    """Normalise by the moments of the global batch, differentiable through them.

    The gradient is that of the *sum* of all processes' losses, as in one process: an image's
    includes its influence on the others' images. Saves the input only, as torch's own does.
    """

    @staticmethod
    def forward(ctx, x: Tensor, eps: float):  # type: ignore[no-untyped-def]
        # N x C x H x W to itself normalised, and mean and biased variance, 1 x C x 1 x 1.
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        mine = share()
        # Moments of every process beside each other: combined from means and variances
        # nothing cancels, as it would in a difference of large sums.
        moments = wide.new_zeros(mine.processes, 2, 1, x.shape[1], 1, 1)
        variance, center = torch.var_mean(wide, dim=(0, 2, 3), correction=0, keepdim=True)
        moments[mine.rank, 0], moments[mine.rank, 1] = center, variance
        centers, variances = all_reduce_sum(moments).unbind(1)
        center = centers.mean(0)
        variance = variances.mean(0) + centers.var(0, correction=0)
        scale = (variance + eps).rsqrt()
        ctx.save_for_backward(x, center, scale)
        ctx.mark_non_differentiable(center, variance)
        return ((wide - center) * scale).to(x.dtype), center, variance

    @staticmethod
    def backward(ctx, grad: Tensor, *_: Any):  # type: ignore[no-untyped-def]
        x, center, scale = ctx.saved_tensors
        normalised = (x - center) * scale
        wide = grad.to(normalised.dtype)
        projections = torch.stack(
            [part.mean(dim=(0, 2, 3), keepdim=True) for part in (wide, wide * normalised)]
        )
        along_one, along_x = all_reduce_mean(projections)
        return ((wide - along_one - normalised * along_x) * scale).to(x.dtype), None


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """Batch norm without affine parameters over the batch of all processes.

    In evaluation mode it is its parent. nn.SyncBatchNorm does the same, on GPUs only.
    """

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W to the same shape."""
        if not self.training:
            return super().forward(x)
        out: Tensor
        out, center, variance = _Normalise.apply(x, self.eps)  # type: ignore[no-untyped-call]
        # Momentum None is a cumulative average, as in the parent.
        batches = self.get_buffer("num_batches_tracked").add_(1)
        rate = 1 / float(batches) if self.momentum is None else self.momentum
        count = share().processes * x.numel() // x.shape[1]
        unbiased = variance * (count / (count - 1))
        for name, value in (("running_mean", center), ("running_var", unbiased)):
            running = self.get_buffer(name)
            running.lerp_(value.flatten().to(running.dtype), rate)
        return out


def synchronise_batch_norms(model: nn.Module) -> None:
    """Let all batch norms of ``model`` see the batch of all processes, in place."""
    if share() == SINGLE_PROCESS:
        return
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert not module.affine, "no network here has affine batch norms"
            module.__class__ = GlobalBatchNorm2d

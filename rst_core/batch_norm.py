"""Batch norm whose backward pass in evaluation mode is one product.

With fixed statistics a batch norm is ``(x - mean) / sqrt(variance + eps)``, and the gradient
towards ``x`` is the one that arrives divided by that root. torch's CPU kernel for it took a
third of a PGD-20 evaluation (docs/performance.md shows what is left of it); the product has the
same bits. On a GPU, where nobody has measured it, torch's own is left.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Below so many values in a batch, what a function in Python costs is more than what it saves.
_FEW = 2**17


class _FixedStatistics(torch.autograd.Function):
    """Batch norm in evaluation mode, without affine parameters."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, mean: Tensor, variance: Tensor, eps: float) -> Tensor:
        """N x C x H x W to the same shape, by torch's own kernel."""
        return F.batch_norm(x, mean, variance, eps=eps)

    @staticmethod
    def setup_context(ctx, inputs: tuple[Tensor, Tensor, Tensor, float], output: Tensor) -> None:  # type: ignore[no-untyped-def]
        """Keep the statistics; unlike torch's, nothing of the size of the batch."""
        _, _, variance, eps = inputs
        ctx.save_for_backward(variance)
        ctx.eps = eps

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        """Gradient of the normalised batch to that of the input."""
        (variance,) = ctx.saved_tensors
        # In float64 and then rounded, as torch's kernel does.
        scale = (variance.double() + ctx.eps).sqrt().reciprocal().to(variance.dtype)
        return (grad * scale.view(1, -1, 1, 1)).to(grad.dtype), None, None, None


class BatchNorm(nn.BatchNorm2d):
    """torch's batch norm, to the bit; in evaluation mode its backward pass is cheaper.

    Only for large batches, on a CPU, and without affine parameters, which no network here has:
    else it is its parent.
    """

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W to the same shape."""
        if self.training or self.affine or not (torch.is_grad_enabled() and x.requires_grad):
            return super().forward(x)
        if x.numel() < _FEW or x.device.type != "cpu":
            return super().forward(x)
        fixed: Tensor = _FixedStatistics.apply(x, self.running_mean, self.running_var, self.eps)  # type: ignore[no-untyped-call]
        return fixed

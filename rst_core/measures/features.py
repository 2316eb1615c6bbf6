"""How far noise moves a network's features [5.2, Fig. 4]."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from rst_core.data.images import LabelledImages
from rst_core.device.seeding import generator
from rst_core.models.networks import Classifier


def last_convolution(model: Classifier) -> nn.Conv2d:
    """The convolution that runs last, shortcuts aside: the deepest in module order."""
    convolutions = [
        m
        for n, m in model.named_modules()
        if isinstance(m, nn.Conv2d) and "shortcut" not in n and "downsample" not in n
    ]
    return convolutions[-1]


@torch.no_grad()
def feature_distances(
    model: Classifier,
    images: LabelledImages,
    eps_grid: tuple[float, ...],
    seed: int,
    batch_size: int = 500,
) -> dict[float, Tensor]:
    """Normalised distance between features of clean and noisy images: for each eps N, on the CPU.

    For each image, the L2 norm of the difference between the last convolution's feature maps on the
    clean image and on the image plus noise uniform in [-eps, eps], divided by the L2 norm of the
    clean feature maps. Noisy images are not clipped, so that the noise has the same size in dark
    and bright images. ``eps_grid`` is in 1/255.
    """
    captured: list[Tensor] = []
    distances: dict[float, list[Tensor]] = {eps: [] for eps in eps_grid}
    with last_convolution(model).register_forward_hook(
        lambda module, inputs, output: captured.append(output.flatten(1))
    ):
        for start, clean, _ in images.evaluation_batches(images.at_once(batch_size)):
            rng = generator("feature noise", seed, start, device=clean.device)
            noise = 2 * torch.rand(clean.shape, generator=rng, device=clean.device) - 1
            model(clean)
            reference = captured.pop()
            for eps in eps_grid:
                model(clean + noise * (eps / 255))
                moved = torch.linalg.vector_norm(captured.pop() - reference, dim=1)
                size = torch.linalg.vector_norm(reference, dim=1).clamp_min(1e-12)
                distances[eps].append((moved / size).cpu())
    return {eps: torch.cat(parts) for eps, parts in distances.items()}


def estimate_batch_norm(model: Classifier, images: LabelledImages, batch_size: int = 500) -> None:
    """Set batch-norm statistics to averages over the images, in place; leaves it evaluating."""
    batches = images.evaluation_batches(images.at_once(batch_size))
    update_bn((batch for _, batch, _ in batches), model.eval())

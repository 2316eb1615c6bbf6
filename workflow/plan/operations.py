"""Floating-point operations of a network on one image, counted once by torch and kept.

``torch.utils.flop_counter`` counts convolutions and matrix products on tensors without data.
To load torch takes longer than a whole plan, so counts are kept in a file, together with a
digest of the source that they are counts of.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import rst_core
from rst_core.settings import NetworkSettings
from rst_core.storage import write_json


class Operations(NamedTuple):
    """Of one network.

    Attributes:
        forward: logits of one image.
        gradient: logits, and the gradient of their loss towards the image.
        update: logits, and the gradient of their loss towards all weights.
        weights: number of weights, masked or not.
    """

    forward: float
    gradient: float
    update: float
    weights: int


class Counter:
    """Counts of networks, from the file ``cache`` where it has them, else added to it."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._source = _digest_of_source()
        try:
            found = json.loads(cache.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {}  # counted anew
        self._counts = {key: n for key, n in found.items() if key.startswith(self._source)}

    def __call__(self, settings: NetworkSettings, classes: int, image_size: int) -> Operations:
        """Operations of a network with so many classes on images of so many pixels a side."""
        key = f"{self._source} {settings}, {classes} classes, {image_size} pixels"
        if key not in self._counts:
            self._counts[key] = count(settings, classes, image_size)
            write_json(self._cache, self._counts)
        return Operations(*self._counts[key])


def _digest_of_source() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(rst_core.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def count(settings: NetworkSettings, classes: int, image_size: int) -> Operations:
    """Count a network's operations with torch; nothing is computed."""
    import torch
    from torch.nn import functional as F
    from torch.utils.flop_counter import FlopCounterMode

    from rst_core.models.networks import build_classifier, prunable_weights

    model = build_classifier(settings, classes, (0.5,) * 3, (0.5,) * 3).to("meta").train()
    batch = 2  # batch norm refuses a single value

    def passes(*, images: bool, weights: bool) -> float:
        model.requires_grad_(weights)
        shape = (batch, 3, image_size, image_size)
        x = torch.zeros(shape, device="meta", requires_grad=images)
        labels = torch.zeros(batch, dtype=torch.int64, device="meta")
        with FlopCounterMode(display=False) as counter:
            loss = F.cross_entropy(model(x), labels)
            if images or weights:
                torch.autograd.backward(loss)
        return float(counter.get_total_flops()) / batch

    return Operations(
        forward=passes(images=False, weights=False),
        gradient=passes(images=True, weights=False),
        update=passes(images=False, weights=True),
        weights=sum(weight.numel() for weight in prunable_weights(model).values()),
    )

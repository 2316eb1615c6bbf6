"""A calibration that nobody measured: operations counted, a rate assumed, both said.

For planning on a device that is not at hand. Operations are those of convolutions and
matrix products, counted by torch on tensors without data, so the assumed rate has to be the
one that is sustained with everything else, not the one in a data sheet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from rst_core.networks import Classifier, build_classifier, prunable_weights
from workflow.plan.calibration import AttackTimes, Calibration, Curve, NetworkTimes, TrainingTimes
from workflow.plan.wanted import Wanted, WantedNetwork

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
#: Least seconds of a call, however few images: some hundred kernels to launch.
CALL_SECONDS = 0.005
#: Seconds of a job's start, and of building a network and its first call.
START_SECONDS, BUILD_SECONDS = 15.0, 5.0


@dataclass(frozen=True)
class Flops:
    """Floating-point operations on one image.

    Attributes:
        forward: logits.
        gradient: logits and the loss's gradient towards the image.
        update: logits and the gradient towards all weights.
    """

    forward: float
    gradient: float
    update: float


def flops(wanted: WantedNetwork) -> Flops:
    """Count a network's operations on one image; nothing is computed."""
    model = _on_meta(wanted)
    return Flops(
        _count(model, wanted.image_size, images=False, weights=False),
        _count(model, wanted.image_size, images=True, weights=False),
        _count(model, wanted.image_size, images=False, weights=True),
    )


def _on_meta(wanted: WantedNetwork) -> Classifier:
    return build_classifier(wanted.build, wanted.classes, MEAN, STD).to("meta").train()


def _count(model: Classifier, side: int, *, images: bool, weights: bool) -> float:
    batch = 2
    model.requires_grad_(weights)
    x = torch.zeros(batch, 3, side, side, device="meta", requires_grad=images)
    labels = torch.zeros(batch, dtype=torch.int64, device="meta")
    with FlopCounterMode(display=False) as counter:
        loss = F.cross_entropy(model(x), labels)
        if images or weights:
            torch.autograd.backward(loss)
    return float(counter.get_total_flops()) / batch


def statistics_of(model: nn.Module) -> int:
    """Numbers that the batch norms of a model carry."""
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    return 2 * sum(norm.num_features for norm in norms)


def assume(wanted: Wanted, teraflops: float) -> Calibration:
    """A calibration of an imagined GPU.

    Args:
        wanted: networks; attacks' own arithmetic is counted as nothing.
        teraflops: 10^12 operations a second, sustained.

    Raises:
        ValueError: if the rate is not positive.
    """
    if not teraflops > 0:
        raise ValueError(f"--assume-tflops is {teraflops}; allowed is a positive rate, such as 40")
    rate = teraflops * 1e12
    return Calibration(
        device=f"imagined GPU of {teraflops:g} TFLOP/s",
        device_type="cuda",
        torch=str(torch.__version__),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        assumed=f"a GPU that sustains {teraflops:g} TFLOP/s in float32",
        start=START_SECONDS,
        data={},
        networks=[_times(network, rate, wanted.batch) for network in wanted.networks],
        attacks=[
            AttackTimes(image_size=side, steps={n: Curve(points=[(1, 0.0)]) for n in sorted(names)})
            for side, names in wanted.attacks.items()
        ],
        notes=[
            f"assumed besides: {CALL_SECONDS * 1e3:g} ms at least for a call of a network, "
            f"{START_SECONDS:g} s for a job's start, {BUILD_SECONDS:g} s for building a network, "
            "nothing for attacks' own arithmetic, for reading images and for masks"
        ],
    )


def _times(wanted: WantedNetwork, rate: float, batch: int) -> NetworkTimes:
    count = flops(wanted)
    model = _on_meta(wanted)

    def curve(operations: float, largest: int) -> Curve:
        one = operations / rate
        knee = CALL_SECONDS / one
        points = [(1, max(one, CALL_SECONDS))]
        if 1 < knee < largest:
            points.append((max(2, int(knee)), CALL_SECONDS))
        return Curve(points=[*points, (largest, max(one * largest, CALL_SECONDS))])

    training = []
    for size, precision in sorted(wanted.training):
        update = curve(count.update, size)
        attack = curve(count.gradient, size)
        training.append(
            TrainingTimes(
                batch_size=size,
                precision=precision,
                attack=attack,
                update=update,
                search=0.0,
                finetune=0.0,
            )
        )
    return NetworkTimes(
        architecture=wanted.build.architecture,
        width=wanted.build.width,
        image_size=wanted.image_size,
        parameters=sum(p.numel() for p in prunable_weights(model).values()),
        statistics=statistics_of(model),
        forward_flops=count.forward,
        build=BUILD_SECONDS,
        forward=curve(count.forward, batch),
        gradient=curve(count.gradient, batch),
        training=training,
    )

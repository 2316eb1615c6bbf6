"""A search step on a CUDA device: milliseconds, share of the matrix rate, epochs an hour.

On the CPU the same functions run at toy size, which is all that the tests can show without a
device.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import steps
from benchmarks.ratios import Ratio, quotients, seconds, take_turns
from rst_core.arithmetic import in_precision
from rst_core.networks import Classifier
from rst_core.progress import say
from rst_core.vocabulary import Architecture, Precision

#: Training images of CIFAR-10 without those held out for validation.
EPOCH_IMAGES = 45_000
#: Steps that are timed at once: the host runs ahead of a GPU, as it does in training.
IN_A_ROW = 10
NETWORKS = {
    "ResNet18": Architecture.PREACT_RESNET18,
    "WideResNet32": Architecture.WIDE_RESNET34,
}


@dataclass(frozen=True)
class Setting:
    """How a device multiplies: its name, TF32 for convolutions and matrices, autocast."""

    name: str
    tf32: bool = False
    precision: Precision = Precision.FLOAT32


SETTINGS = (
    Setting("float32"),
    Setting("float32, TF32", tf32=True),
    Setting("bfloat16", tf32=True, precision=Precision.BFLOAT16),
)


@dataclass(frozen=True)
class Row:
    """A line of the table: medians over rounds.

    Attributes:
        network: name in the paper.
        how: variant and setting.
        milliseconds: a step.
        fraction: of the measured matrix rate in the same setting.
        epochs_an_hour: on CIFAR-10.
    """

    network: str
    how: str
    milliseconds: float
    fraction: float
    epochs_an_hour: float


@contextmanager
def tf32(on: bool) -> Iterator[None]:
    """TF32 for convolutions and matrices inside, and as it was afterwards."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = on
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def matrix_rate(device: torch.device, setting: Setting, size: int = 8192) -> float:
    """Floating-point operations a second of a large matrix product, the best of five."""
    dtype = torch.bfloat16 if setting.precision is Precision.BFLOAT16 else torch.float32
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    with tf32(setting.tf32):
        torch.mm(a, b)
        best = min(seconds(partial(torch.mm, a, b)) for _ in range(5))
    return 2 * size**3 / best


def step_operations(architecture: Architecture, width: float, size: int) -> int:
    """Floating-point operations of the dense limit's step.

    A forward pass is counted; the gradient towards the inputs, or towards the weights, costs as
    much again: seven attack steps of 2 passes, and one training step of 3.
    """
    model = steps.network(architecture, width, torch.device("cpu"))
    images, _ = steps.batch(2, 32, torch.device("cpu"))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(images)
    return int(counter.get_total_flops()) * (2 * steps.STEPS + 3) * size // 2


def compile_network(model: Classifier, **options: str) -> Classifier:
    """The model, its network compiled in place by ``torch.compile`` with these options."""
    model.network.compile(**options)
    return model


def variants(
    architecture: Architecture, width: float, device: torch.device, setting: Setting,
    compiled: bool = True,
) -> dict[str, Callable[[], steps.Step]]:  # fmt: skip
    """What to build and measure in one setting; the reference only in its own, float32 TF32.

    PyTorch's own default lets cuDNN use TF32, so the released code ran with it.
    """

    precision = setting.precision

    def model() -> Classifier:
        return steps.network(architecture, width, device, precision)

    def ours(change: Callable[[Classifier], Classifier]) -> steps.Step:
        return steps.ours(change(model()), precision=precision)

    found: dict[str, Callable[[], steps.Step]] = {
        "ours": lambda: steps.ours(model(), precision=precision),
        "limit": lambda: steps.limit(model(), precision=precision),
        "ours, other memory format": lambda: ours(steps.in_other_format),
        "ours, cuDNN's heuristics": lambda: steps.ours(
            model(), precision=precision, around=in_precision
        ),
    }
    if compiled:
        found["ours, torch.compile"] = lambda: ours(partial(compile_network, mode="default"))
        found["ours, CUDA graphs"] = lambda: ours(partial(compile_network, mode="reduce-overhead"))
    if setting.tf32 and precision is Precision.FLOAT32:
        found["released"] = lambda: steps.released(model())
    return found


def measure(
    device: torch.device, rounds: int, size: int = 256, width: float = 1.0, matrix: int = 8192,
    networks: Sequence[str] = tuple(NETWORKS), compiled: bool = True,
) -> tuple[list[Row], list[Ratio]]:  # fmt: skip
    """All rows, and ours against the limit and the released structure."""
    rows: list[Row] = []
    ratios: list[Ratio] = []
    rates = {setting: matrix_rate(device, setting, matrix) for setting in SETTINGS}
    images, labels = steps.batch(size, 32, device)
    for name in networks:
        operations = step_operations(NETWORKS[name], width, size)
        found: dict[tuple[str, Setting], list[float]] = {}
        for setting in SETTINGS:
            builders = variants(NETWORKS[name], width, device, setting, compiled)
            with tf32(setting.tf32):
                times = _times(builders, images, labels, rounds)
            for how, took in times.items():
                found[how, setting] = took
                second = statistics.median(took)
                epochs = 3600 / (second * (EPOCH_IMAGES // size))
                fraction = operations / second / rates[setting]
                rows.append(Row(name, f"{how}, {setting.name}", 1000 * second, fraction, epochs))
        ratios += _ratios(name, size, found)
    return rows, ratios


def _times(
    builders: dict[str, Callable[[], steps.Step]], images: Tensor, labels: Tensor, rounds: int
) -> dict[str, list[float]]:
    """Seconds of a step of every variant that runs."""

    def in_a_row(run: steps.Step) -> None:
        for _ in range(IN_A_ROW):
            run(images, labels)

    works: dict[str, Callable[[], object]] = {}
    for name, build in builders.items():
        try:
            run = build()
            run(images, labels)
        except Exception as error:
            say(f"{name} does not run here: {str(error).splitlines()[0]}")
        else:
            works[name] = partial(in_a_row, run)
    times = take_turns(works, rounds)
    return {name: [t / IN_A_ROW for t in took] for name, took in times.items()}


def _ratios(name: str, size: int, found: dict[tuple[str, Setting], list[float]]) -> list[Ratio]:
    what = f"{name}, batch {size}, on the GPU"
    _, own, half = SETTINGS
    result = [
        Ratio(f"{what}, {s.name}", "dense limit", quotients(found["ours", s], found["limit", s]),
              "at most", 1.15)
        for s in SETTINGS
    ]  # fmt: skip
    released = found["released", own]
    result += [
        Ratio(f"{what}, {s.name}", "the released cost structure in float32, TF32",
              quotients(released, found["ours", s]), "at least", target)
        for s, target in ((own, None), (half, 4.0))
    ]  # fmt: skip
    return result


def table(rows: Sequence[Row]) -> str:
    """Markdown, one line a variant."""
    lines = ["| network | step | ms a step | of the matrix rate | epochs an hour |"]
    lines.append("|---" * 5 + "|")
    lines += [
        f"| {r.network} | {r.how} | {r.milliseconds:.4g} | {100 * r.fraction:.0f} % | "
        f"{r.epochs_an_hour:.3g} |"
        for r in rows
    ]
    return "\n".join(lines)

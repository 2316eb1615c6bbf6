"""Stage 1: step times of this device, and the share of its matrix rate that they reach."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import steps
from benchmarks.ratios import seconds, take_turns
from measurements.paper_scale.compiled import compile_training, leave_as_is
from measurements.paper_scale.scale import SEED, Scale
from rst_core.arithmetic import training_step
from rst_core.attacks.gradient import input_gradient
from rst_core.distributed import default_device
from rst_core.masks import kept_count, top_k_mask
from rst_core.networks import Classifier, build_classifier, draw_weights, place
from rst_core.optimiser import Sgd
from rst_core.progress import say
from rst_core.settings import AttackSpec, NetworkSettings, training_attack
from rst_core.trainee import MaskTrainee, Trainee, WeightTrainee
from rst_core.training import step
from rst_core.vocabulary import Init, Pattern, Precision, SearchMethod

#: Calls that count, of each variant; one more before them does not.
ROUNDS = 5
#: Seconds after which compiling is given up.
PATIENCE = 150.0
#: Side of the square matrices whose product gives the matrix rate, on a GPU and on a CPU.
_SIDES = {"cuda": 8192, "cpu": 512}


def measure(scale: Scale, *, compiling: bool) -> dict[str, Any]:
    """Everything that stage 1 finds out, ready for JSON.

    What fails in the benchmark (for want of memory, say) is named with its reason.

    Args:
        scale: what is run.
        compiling: try torch.compile too, which takes its time.
    """
    device = default_device()
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "CPU",
        "torch": str(torch.__version__),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "batch": scale.training.batch_size,
        "matrix_rate": {str(t)[6:]: _matrix_rate(t, device) for t in _PRECISIONS},
        "steps": [],
    }
    for label, network in scale.timed:
        for dtype in _PRECISIONS:
            timed = _or_reason(partial(_steps, network, scale, dtype, device))
            found["steps"].append({"network": label, "precision": str(dtype)[6:], **timed})
            say(f"{label}, {str(dtype)[6:]}: {timed}")
    found["host_waits"] = _host_waits(scale, device)
    found["masks"] = _or_reason(partial(_masks, scale, device))
    found["training"] = _training(scale, device)
    found["attack"] = _attack(scale, device)
    found["compiled"] = _or_reason(partial(_compiled, scale, device)) if compiling else {}
    return found


_PRECISIONS = (torch.float32, torch.bfloat16)


def _or_reason(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except Exception as error:  # the run does not need these numbers
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return {"failed": f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"}


def _matrix_rate(dtype: torch.dtype, device: torch.device) -> float:
    """Operations a second of a large matrix product of random numbers, float32 without TF32."""
    side = _SIDES[device.type]
    one, other = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    times = take_turns({"product": lambda: torch.mm(one, other)}, ROUNDS)["product"]
    return float(2 * side**3 / min(times))


def _steps(
    network: NetworkSettings, scale: Scale, dtype: torch.dtype, device: torch.device
) -> dict[str, Any]:
    """A search step against the dense limit: seconds, and operations counted by torch."""
    precision = Precision(str(dtype)[6:])
    size, pixels = scale.training.batch_size, scale.dataset.image_size
    images, labels = steps.batch(size, pixels, device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()

    def model() -> Classifier:
        return steps.network(network.architecture, network.width, device, precision)

    variants = {
        "search": steps.ours(model(), precision=precision),
        "limit": steps.limit(model(), precision=precision),
        "search_other_format": steps.ours(steps.in_other_format(model()), precision=precision),
    }
    times = take_turns({n: partial(run, images, labels) for n, run in variants.items()}, ROUNDS)
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else None
    operations = _operations(model().eval(), images)
    return {"seconds": times, "operations": operations, "peak_bytes": memory}


def _operations(model: Classifier, images: Tensor) -> float:
    """Operations of a PGD-7 step: 7 x (forward, input gradient), and forward, both gradients.

    Each of these costs what a forward pass does, but for the first layer's last input gradient.
    """
    few = images[: max(1, len(images) // 16)]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(few)
    return float(17 * counter.get_total_flops() * len(images) / len(few))


def _trainee(scale: Scale, device: torch.device, keep_ratio: float | None) -> Trainee:
    """A search's trainee, or a dense's for None."""
    dataset = scale.dataset
    model = build_classifier(scale.network, dataset.classes, dataset.mean, dataset.std)
    draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, SEED)
    place(model, device, scale.training.precision).train()
    if keep_ratio is None:
        return WeightTrainee(model)
    return MaskTrainee(model, keep_ratio, Pattern.ELEMENT, SEED)


def _one_step(
    scale: Scale,
    device: torch.device,
    keep_ratio: float | None,
    attack: AttackSpec | None,
    prepare: Callable[[Classifier], None] = leave_as_is,
) -> Callable[[], Tensor]:
    """A step of the training loop itself, at the settings of the run."""
    trainee = _trainee(scale, device, keep_ratio)
    prepare(trainee.model)
    optimiser = Sgd(trainee.variables.values(), lr=1e-12, momentum=0.9)
    images, labels = steps.batch(scale.training.batch_size, scale.dataset.image_size, device)
    rng = torch.Generator(device=device).manual_seed(SEED)
    overrun = torch.full((), -1.0, device=device)

    def run() -> Tensor:
        with training_step(scale.training.precision, device):
            return step(trainee, optimiser, images, labels, attack, rng, overrun)

    return run


def _training(scale: Scale, device: torch.device) -> dict[str, float]:
    """Seconds of a step of every kind of training in this run; the schedule follows from them."""
    pgd7 = training_attack(SearchMethod.PGD7, 8.0)
    variants = {
        "search": _one_step(scale, device, 0.2, pgd7),
        "dense": _one_step(scale, device, None, pgd7),
        "natural": _one_step(scale, device, None, None),
    }
    found = {}
    for name, run in variants.items():
        _repeat(run, 2)
        found[name] = _in_a_row(run, device)
    return found


def _in_a_row(run: Callable[[], object], device: torch.device) -> float:
    """Seconds of one of many steps: the host runs ahead of a GPU, as it does in training."""
    count = 10 if device.type == "cuda" else 2
    return seconds(partial(_repeat, run, count)) / count


def _compiled(scale: Scale, device: torch.device) -> dict[str, float]:
    """A search step under torch.compile: what compiling takes at first and with a filled cache
    on disk, what a step takes, and by how much its loss differs.

    Raises:
        TimeoutError: if it takes too long.
        Exception: whatever else the compiler raises.
    """
    pgd7 = training_attack(SearchMethod.PGD7, 8.0)
    eager = _one_step(scale, device, 0.2, pgd7)
    runs: list[Callable[[], Tensor]] = []
    losses: list[float] = []

    def compiled() -> None:
        torch.compiler.reset()
        runs.append(_one_step(scale, device, 0.2, pgd7, compile_training))
        losses.append(float(runs[-1]()[0]))

    with _within(PATIENCE):
        first, again = seconds(compiled), seconds(compiled)
        _repeat(runs[-1], 2)
        step_seconds = _in_a_row(runs[-1], device)
    plain = float(eager()[0])
    return {
        "first_seconds": first,
        "again_seconds": again,
        "search": step_seconds,
        "loss_differs": abs(losses[0] - plain) / abs(plain),
    }


@contextmanager
def _within(patience: float) -> Iterator[None]:
    """Raise ``TimeoutError`` in the block if it takes longer; in the main thread only."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done within {patience:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, patience)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _repeat(work: Callable[[], object], times: int) -> None:
    for _ in range(times):
        work()


def _attack(scale: Scale, device: torch.device) -> dict[str, float]:
    """Seconds of one look and of one PGD step on a batch, float32, as attacks compute."""
    model: nn.Module = _trainee(scale, device, None).model.eval()
    size = scale.attack_batch_size
    images, labels = steps.batch(size, scale.dataset.image_size, device)

    @torch.no_grad()
    def look() -> Tensor:
        logits: Tensor = model(images)
        return logits

    variants = {"forward": look, "gradient": lambda: input_gradient(model, images, labels)}
    times = take_turns(variants, ROUNDS)
    return {"images": size, **{name: min(found) for name, found in times.items()}}


def _masks(scale: Scale, device: torch.device) -> dict[str, float]:
    """Seconds of all masks of a step: as rst_core selects the threshold, and in other ways."""
    trainee = _trainee(scale, device, 0.2)
    scores = [v.detach() for v in trainee.variables.values()]

    def above(threshold: Callable[[Tensor, int], Tensor]) -> None:
        for score in scores:
            magnitude = score.abs().flatten()
            _ = magnitude >= threshold(magnitude, kept_count(magnitude.numel(), 0.2))

    def as_it_is() -> None:
        for score in scores:
            top_k_mask(score, 0.2)

    variants: dict[str, Callable[[], object]] = {
        "top_k_mask": as_it_is,
        "sorting": partial(above, lambda values, keep: values.sort().values[-keep]),
        "kthvalue": partial(above, lambda values, keep: values.kthvalue(len(values) - keep + 1)[0]),
    }
    times = take_turns(variants, ROUNDS)
    return {name: min(found) for name, found in times.items()}


def _host_waits(scale: Scale, device: torch.device) -> str:
    """Whether a search step makes the host wait for the GPU; torch raises where it does."""
    if device.type != "cuda":
        return "not looked for: no GPU"
    run = _one_step(scale, device, 0.2, training_attack(SearchMethod.PGD7, 8.0))
    run()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        run()
    except RuntimeError as error:
        return str(error).splitlines()[0]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return "none in a search step"

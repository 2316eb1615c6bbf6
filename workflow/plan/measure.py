"""Time the few calls that all cells are made of, on the device at hand (``rst calibrate``).

Every call is rst_core's own. Sizes grow from one image to the batch that the config asks
for; what would take longer than a few seconds is left to proportion, and a note says so.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from rst_core.arithmetic import training_step
from rst_core.attacks.gradient import pgd
from rst_core.data import load_splits
from rst_core.distributed import default_device
from rst_core.evaluation import fingerprint
from rst_core.networks import (
    Classifier,
    build_classifier,
    draw_weights,
    place,
    prunable_weights,
)
from rst_core.optimiser import Sgd
from rst_core.progress import say
from rst_core.records import device_name
from rst_core.settings import DatasetSettings, NetworkSettings, training_attack, validation_attack
from rst_core.trainee import MaskTrainee, Trainee, WeightTrainee
from rst_core.training import step
from rst_core.vocabulary import Init, Pattern, Precision, SearchMethod
from workflow.plan.assume import flops, statistics_of
from workflow.plan.attack_steps import few_steps
from workflow.plan.calibration import (
    AttackTimes,
    Calibration,
    Curve,
    NetworkTimes,
    TrainingTimes,
)
from workflow.plan.cost import ADVERTORCH, RECOMPUTING
from workflow.plan.wanted import Wanted, WantedNetwork

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
KEEP_RATIO = 0.2
#: Factor between two sizes that are timed.
_GROWTH = 8
#: Batch norms in training mode need two values a channel, which one small image may not give.
_FEWEST = 2
#: What some jobs import besides, or make torch import, before they compute anything.
_LIBRARIES = {
    ADVERTORCH: "from rst_core.compat import import_advertorch_losses as f; f(); ",
    RECOMPUTING: "from torch.utils.checkpoint import checkpoint; "
    "checkpoint(torch.neg, torch.ones(1, requires_grad=True), use_reentrant=False); ",
}
Work = Callable[[], object]


@dataclass
class Stopwatch:
    """Times calls on one device.

    On a CPU with one thread it counts the time that this process computed, which is what a
    clock would show if nobody else used the machine; otherwise it looks at the clock.

    Attributes:
        device: whose unfinished work is waited for.
        limit: seconds after which a call counts as long: it is not repeated, nor a larger
            one tried.
        notes: what did not go as asked for.
    """

    device: torch.device
    limit: float
    notes: list[str] = field(default_factory=list)

    def seconds(self, work: Work) -> float:
        """Of one call."""
        self._wait()
        began = self._now()
        work()
        self._wait()
        return self._now() - began

    def _now(self) -> float:
        if self.device.type == "cpu" and torch.get_num_threads() == 1:
            # A job's start is timed in a process of its own.
            children = resource.getrusage(resource.RUSAGE_CHILDREN)
            return time.process_time() + children.ru_utime + children.ru_stime
        return time.perf_counter()

    def settled(self, work: Work) -> float:
        """Median of some calls after one that does not count: it warms up whatever is cold."""
        first = self.seconds(work)
        if first > 10 * self.limit:
            return first
        second = self.seconds(work)
        repeats = min(4, int(self.limit / max(second, 1e-6)))
        return statistics.median([second, *(self.seconds(work) for _ in range(repeats))])

    def curve(
        self, what: str, largest: int, make: Callable[[int], Work], smallest: int = 1
    ) -> Curve:
        """Times of calls on ``smallest``, 8 times as many, … and ``largest`` images.

        Args:
            what: named in notes, which say where a call was so long that no larger one was
                tried.
            largest: images that cells have in such a call.
            make: the call on so many images.
            smallest: fewest images that such a call can have.
        """
        points: list[tuple[int, float]] = []
        for images in _sizes(smallest, largest):
            try:
                points.append((images, self.settled(make(images))))
            except torch.OutOfMemoryError:
                self.notes.append(f"{what}: {images} images do not fit into the device's memory")
                break
            if points[-1][1] > self.limit:
                break
        if not points:
            raise ValueError(f"{what}: not even {smallest} images fit into the device's memory")
        if points[-1][0] < largest:
            self.notes.append(
                f"{what}: timed up to {points[-1][0]} images, {largest} are taken in proportion"
            )
        return Curve(points=points)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _sizes(smallest: int, largest: int) -> list[int]:
    sizes = [min(smallest, largest)]
    while sizes[-1] * _GROWTH < largest:
        sizes.append(sizes[-1] * _GROWTH)
    return sizes if sizes[-1] == largest else [*sizes, largest]


def calibrate(wanted: Wanted, limit: float = 1.0) -> Calibration:
    """Time everything that is wanted.

    Args:
        wanted: networks and attacks.
        limit: seconds of a long call; a calibration takes some hundred times as much.
    """
    watch = Stopwatch(default_device(), limit)
    start = _start_seconds(watch)
    data = _data(watch, wanted.datasets)
    libraries = {
        name: max(0.0, _start_seconds(watch, program) - start)
        for name, program in _LIBRARIES.items()
    }
    networks = [_network(watch, network, wanted.batch) for network in wanted.networks]
    attacks = [_attacks(watch, side, names, wanted.batch) for side, names in wanted.attacks.items()]
    return Calibration(
        device=device_name(),
        device_type=watch.device.type,
        torch=str(torch.__version__),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        assumed="",
        start=start,
        data=data,
        libraries=libraries,
        networks=networks,
        attacks=attacks,
        notes=watch.notes,
    )


def _start_seconds(watch: Stopwatch, then: str = "") -> float:
    """From a command line to the first line of work, in a process of its own.

    Args:
        watch: a stopwatch.
        then: more statements, each ended by a semicolon.
    """
    program = (
        "import rst_core.cells, torch; from rst_core.distributed import default_device; "
        "torch.zeros(1, device=default_device()).item(); "
    )
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-c", program + then]

    def run() -> None:
        subprocess.run(command, check=True, cwd=root, env=os.environ | threads)

    run()  # reads the files for the first time
    return statistics.median(watch.seconds(run) for _ in range(2))


def _data(watch: Stopwatch, datasets: dict[str, DatasetSettings]) -> dict[str, float]:
    """Loading of every dataset that is there."""
    found = {}
    for name, settings in datasets.items():
        try:
            found[name] = watch.seconds(partial(load_splits, settings))
        except OSError:
            watch.notes.append(f"{name} is not here to be loaded: loading it counts as nothing")
    return found


def _images(count: int, side: int, classes: int, device: torch.device) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(count, 3, side, side, generator=rng)
    labels = torch.randint(classes, (count,), generator=rng)
    return images.contiguous(memory_format=torch.channels_last).to(device), labels.to(device)


def _classifier(
    build: NetworkSettings,
    classes: int,
    device: torch.device,
    precision: Precision = Precision.FLOAT32,
) -> Classifier:
    model = build_classifier(build, classes, MEAN, STD)
    draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, 0)
    return place(model.requires_grad_(False), device, precision)


def _network(watch: Stopwatch, wanted: WantedNetwork, batch: int) -> NetworkTimes:
    name = f"{wanted.build.architecture} at {wanted.image_size} pixels"
    say(f"timing {name}")
    side, classes, device = wanted.image_size, wanted.classes, watch.device
    models: list[Classifier] = []
    rng = torch.Generator(device=device).manual_seed(0)
    # Every image takes every step, so that labels do not matter.
    spec = replace(validation_attack(8.0, 1), stop_at_success=False)

    def gradient(count: int) -> Work:
        x, y = _images(count, side, classes, device)
        return lambda: pgd(models[0], x, y, spec, rng)

    def forward(count: int) -> Work:
        x, _ = _images(count, side, classes, device)

        @torch.no_grad()
        def run() -> Tensor:
            logits: Tensor = models[0](x)
            return logits

        return run

    def first() -> None:
        models.append(_classifier(wanted.build, classes, device).eval())
        fingerprint(models[0])
        gradient(1)()

    build = watch.seconds(first)
    model = models[0]
    return NetworkTimes(
        architecture=wanted.build.architecture,
        width=wanted.build.width,
        image_size=side,
        parameters=sum(p.numel() for p in prunable_weights(model).values()),
        statistics=statistics_of(model),
        forward_flops=flops(wanted).forward,
        build=build,
        forward=watch.curve(f"{name}, forward", batch, forward),
        gradient=watch.curve(f"{name}, gradient", batch, gradient),
        training=[
            _training(watch, wanted, name, size, precision)
            for size, precision in sorted(wanted.training)
        ],
    )


def _training(
    watch: Stopwatch, wanted: WantedNetwork, name: str, batch: int, precision: Precision
) -> TrainingTimes:
    where = f"{name}, {precision} training"
    model = _classifier(wanted.build, wanted.classes, watch.device, precision)
    masks = {n: torch.rand_like(w) < KEEP_RATIO for n, w in prunable_weights(model).items()}
    steps = {
        "dense": _updates(WeightTrainee(model), wanted, precision),
        "finetune": _updates(WeightTrainee(model, masks), wanted, precision),
        "search": _updates(MaskTrainee(model, KEEP_RATIO, Pattern.ELEMENT, 0), wanted, precision),
    }
    # What masks cost does not depend on the images: few tell.
    bare, fixed, searched = (watch.settled(steps[kind](_FEWEST)) for kind in steps)
    return TrainingTimes(
        batch_size=batch,
        precision=precision,
        attack=watch.curve(f"{where}, attack", batch, _attacked(model, wanted, precision), _FEWEST),
        update=watch.curve(f"{where}, update", batch, steps["dense"], _FEWEST),
        search=max(0.0, searched - bare),
        finetune=max(0.0, fixed - bare),
    )


def _updates(
    trainee: Trainee, wanted: WantedNetwork, precision: Precision
) -> Callable[[int], Work]:
    """One optimiser step on so many images, without an attack."""
    variables = list(trainee.variables.values())
    device = variables[0].device
    # No step size to speak of: what is timed must not change what is timed next.
    optimiser = Sgd(variables, lr=1e-12, momentum=0.9, weight_decay=5e-4)
    rng = torch.Generator(device=device).manual_seed(0)
    overrun = torch.full((), -1.0, device=device)

    def make(count: int) -> Work:
        x, y = _images(count, wanted.image_size, wanted.classes, device)

        def run() -> None:
            trainee.model.train()
            with training_step(precision, device):
                step(trainee, optimiser, x, y, None, rng, overrun)

        return run

    return make


def _attacked(
    model: Classifier, wanted: WantedNetwork, precision: Precision
) -> Callable[[int], Work]:
    """One step of the inner maximisation on so many images."""
    device = next(model.parameters()).device
    rng = torch.Generator(device=device).manual_seed(0)
    spec = training_attack(SearchMethod.FGSM_RS, 8.0)

    def make(count: int) -> Work:
        x, y = _images(count, wanted.image_size, wanted.classes, device)

        def run() -> None:
            model.train()
            with training_step(precision, device):
                pgd(model, x, y, spec, rng)

        return run

    return make


def _attacks(watch: Stopwatch, side: int, names: set[str], batch: int) -> AttackTimes:
    say(f"timing attacks' own arithmetic at {side} pixels")
    steps = {}
    for name in sorted(names):
        points: list[tuple[int, float]] = []
        for images in _sizes(1, batch):
            points.append((images, _step_seconds(watch, name, images, side)))
            if points[-1][1] > watch.limit / 10:
                break
        steps[name] = Curve(points=points)
    return AttackTimes(image_size=side, steps=steps)


def _step_seconds(watch: Stopwatch, name: str, images: int, side: int) -> float:
    work, steps = few_steps(name, images, side, watch.device)
    work()
    return watch.seconds(work) / steps

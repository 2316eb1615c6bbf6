"""Seconds of a cell: numbers of calls, which follow from its settings, times a calibration.

Nothing here measures anything; ``tests/plan/test_costs.py`` counts the calls that the attacks
really make and compares. docs/plan.md has the model in words.

Where an attack leaves fallen images alone, the share of images that still stand is at most
the natural accuracy: an image that is wrong from the start costs one step. That accuracy is
taken from finished cells of the same dataset; before there are any, every image counts as
standing, which is an upper bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rst_core.settings import AttackSpec, training_attack
from rst_core.spec import (
    CandidateSet,
    Cell,
    Dense,
    Evaluation,
    FeatureDistance,
    Network,
    Ticket,
    TrainingCell,
    TransferRow,
    Untrained,
)
from rst_core.vocabulary import AttackMethod, Selection
from workflow.matrix import Matrix
from workflow.plan.calibration import Calibration, Curve, NetworkTimes, TrainingTimes
from workflow.plan.sizes import ImageCounts

#: Images at a time where nobody is attacked (rst_core.evaluation, rst_core.features).
EVALUATION_BATCH = 500
#: Images and PGD steps by which an attack is checked for symptoms of failing (rst_core.suspicion).
CHECKED_IMAGES, CHECK_STEPS = 100, 20
#: Of the calibration's libraries, those of which a job's first use takes as long as a short
#: attack: AdverTorch, and torch's recomputation of a candidate set's activations.
ADVERTORCH, RECOMPUTING = "advertorch", "torch.utils.checkpoint"
_OF_ADVERTORCH = {"cw_inf", "cw_l2"}


@dataclass(frozen=True)
class Calls:
    """What an attack does with one batch of which every image stands to the end.

    Attributes:
        forward: calls of the model without gradient.
        gradient: calls with a gradient towards the images.
        arithmetic: steps beside the model, by name of the calibration's curves.
        images: images in one call of ``forward``, as a multiple of the standing ones.
    """

    forward: int
    gradient: int
    arithmetic: Mapping[str, int]
    images: int = 1


#: Auto-Attack's authors fix its parts. Standard: APGD on the cross-entropy, targeted APGD and
#: targeted FAB against 9 classes of 100 steps each, Square of 5,000 queries. Rand: two APGDs
#: of 100 steps that average 20 gradients each.
_AUTO_ATTACK = {
    AttackMethod.AUTO_ATTACK: Calls(
        5954, 1910, {"auto_attack apgd": 1010, "auto_attack fab": 900, "auto_attack square": 5000}
    ),
    AttackMethod.AUTO_ATTACK_RAND: Calls(7, 4040, {"auto_attack apgd": 202}),
    # The same two APGDs on exact expectations: nothing is drawn, so nothing is averaged.
    AttackMethod.AUTO_ATTACK_EXPECTED: Calls(7, 202, {"auto_attack apgd": 202}),
}


def attack_calls(spec: AttackSpec) -> Calls:
    """Calls of an attack on one batch, every image standing.

    PGD's own arithmetic is in the calibration's gradient.
    """
    match spec.method:
        case AttackMethod.PGD | AttackMethod.EOT | AttackMethod.ENSEMBLE:
            judged = spec.restarts if spec.restarts > 1 else 0
            return Calls(judged, spec.steps * spec.restarts, {})
        case AttackMethod.CW_INF:
            return Calls(1, spec.steps, {"cw_inf": spec.steps})
        case AttackMethod.CW_L2:
            steps = spec.steps * (spec.search_steps or 1)
            return Calls(1, steps, {"cw_l2": steps})
        case AttackMethod.APGD:
            # A gradient at the start and one after each step.
            steps = spec.restarts * (spec.steps + 1)
            return Calls(spec.restarts, steps, {"auto_attack apgd": steps})
        case AttackMethod.SQUARE:
            return Calls(spec.steps, 0, {"auto_attack square": spec.steps})
        case AttackMethod.BANDITS:
            # The image and its two queries go through the model together.
            return Calls(spec.steps, 0, {"bandits": spec.steps}, images=3)
        case _:
            return _AUTO_ATTACK[spec.method]


def leaves_the_fallen(spec: AttackSpec) -> bool:
    """Whether images that are misclassified cost nothing more."""
    gradient_steps = (AttackMethod.PGD, AttackMethod.EOT, AttackMethod.ENSEMBLE)
    return spec.stop_at_success if spec.method in gradient_steps else True


@dataclass(frozen=True)
class Cost:
    """Seconds of one job on one device.

    Attributes:
        start: until work begins: interpreter, imports, device.
        work: what the cell's own record measures.
    """

    start: float
    work: float

    @property
    def total(self) -> float:
        """Of the whole job."""
        return self.start + self.work


class CostModel:
    """Seconds of the cells of one matrix on one calibrated device.

    Args:
        matrix: the cells' settings.
        calibration: the device's times.
        images: counts of a dataset, by its name.
        standing: share of a dataset's test images that attacks must work on, by its name.
    """

    def __init__(
        self,
        matrix: Matrix,
        calibration: Calibration,
        images: Callable[[str], ImageCounts],
        standing: Callable[[str], float] = lambda dataset: 1.0,
    ) -> None:
        self.matrix = matrix
        self.calibration = calibration
        self.images = images
        self.standing = standing

    def cost(self, cell: Cell) -> Cost:
        """Of one cell, its inputs being there.

        Raises:
            NotCalibratedError: if the calibration lacks its network or attack.
        """
        match cell:
            case TrainingCell():
                work = self._training(cell)
            case Evaluation():
                work = self._evaluation(cell)
            case TransferRow():
                work = self._transfer(cell)
            case FeatureDistance():
                work = self._features(cell)
        data = self.calibration.data.get(cell.model.network.dataset, 0.0)
        return Cost(self.calibration.start, data + work)

    def network(self, network: Network) -> NetworkTimes:
        """Times of a cell's network on its dataset's images.

        Raises:
            NotCalibratedError: if the calibration lacks it.
        """
        build = self.matrix.network_settings(network)
        return self.calibration.network(build.architecture, build.width, self._size(network))

    def _size(self, network: Network) -> int:
        return self.matrix.config.datasets[network.dataset].images.image_size

    # -- training ---------------------------------------------------------------------

    def _training(self, cell: TrainingCell) -> float:
        network = cell.model.network
        settings = self.matrix.training_settings(network.dataset)
        counts = self.images(network.dataset)
        times = self.network(network).trained(settings.batch_size, settings.precision)
        batch = min(settings.batch_size, counts.train)
        adversary = cell.model.adversary
        steps = training_attack(adversary.method, adversary.eps).steps if adversary else 0
        step = times.update.seconds(batch) + _masking(cell, times)
        step += steps * times.attack.seconds(batch)
        epoch = counts.train // batch * step
        measured = [counts.validation]
        if Selection.BEST_TEST in self.matrix.config.keep_selections:
            measured.append(counts.test)
        for number in measured:
            epoch += self._measured(network, number, settings.validation_steps if steps else 0)
        # The networks that it starts from are built and loaded as well.
        built = 1 + len(self.matrix.bases(cell.model))
        return built * self.network(network).build + settings.epochs * epoch

    def _measured(self, network: Network, images: int, steps: int) -> float:
        """Natural accuracy, and robust accuracy if there are steps, as after every epoch."""
        times, standing = self.network(network), self.standing(network.dataset)
        seconds = _batches(images, EVALUATION_BATCH, times.forward.seconds)
        if not steps:
            return seconds
        return seconds + _batches(
            images,
            EVALUATION_BATCH,
            lambda n: (
                times.gradient.seconds(n)
                + (steps - 1) * times.gradient.seconds(standing * n)
                + times.forward.seconds(n)
            ),
        )

    # -- attacks ----------------------------------------------------------------------

    def _evaluation(self, cell: Evaluation) -> float:
        members = len(cell.model.tickets) if isinstance(cell.model, CandidateSet) else 1
        return self._attacked(cell, sources=members, judges=members)

    def _transfer(self, cell: TransferRow) -> float:
        members = len(cell.model.tickets) if isinstance(cell.model, CandidateSet) else 1
        return self._attacked(cell, sources=members, judges=len(self.matrix.targets(cell)))

    def _attacked(self, cell: Evaluation | TransferRow, sources: int, judges: int) -> float:
        """Attack some models at once, judge others by the images, and all by clean ones."""
        network = cell.model.network
        times, spec = self.network(network), self.matrix.attack(cell)
        images = min(self.images(network.dataset).test, spec.images or 10**12)
        calls = attack_calls(spec)
        standing = self.standing(network.dataset) if leaves_the_fallen(spec) else 1.0

        def batch(n: int) -> float:
            return self._attack(
                times, calls, sources, n, standing
            ) + judges * times.forward.seconds(n)

        libraries = [RECOMPUTING] if sources > 1 else []
        libraries += [ADVERTORCH] if _OF_ADVERTORCH & calls.arithmetic.keys() else []
        loaded = len(self.matrix.loaded(self.matrix.sources(cell)))
        if isinstance(cell, TransferRow):
            loaded = len(
                self.matrix.loaded([*self.matrix.sources(cell), *self.matrix.targets(cell)])
            )
        return (
            loaded * times.build
            + _batches(images, self.matrix.config.attack_batch_size, batch)
            + judges * _batches(images, EVALUATION_BATCH, times.forward.seconds)
            + _checks(times, sources, min(images, CHECKED_IMAGES))
            + sum(self.calibration.libraries.get(name, 0.0) for name in libraries)
        )

    def _attack(
        self, times: NetworkTimes, calls: Calls, sources: int, images: int, standing: float
    ) -> float:
        """One batch: the first call sees all images, the others those that stand.

        A candidate set's members are computed once more for every gradient, so that their
        activations need not fit a device together (:func:`rst_core.r2s.adversary_view`).
        """
        left = standing * images
        seconds = _calls(times.forward, calls.forward, calls.images, images, left)
        seconds += _calls(times.gradient, calls.gradient, 1, images, left)
        if sources > 1:
            seconds += _calls(times.forward, calls.gradient, 1, images, left)
        for name, steps in calls.arithmetic.items():
            step = self.calibration.attack_step(name, times.image_size)
            seconds += steps * step.seconds(left)
        return sources * seconds

    # -- features ---------------------------------------------------------------------

    def _features(self, cell: FeatureDistance) -> float:
        network = cell.model.network
        times, counts = self.network(network), self.images(network.dataset)
        experiments = self.matrix.config.experiments.values()
        grid = {eps for experiment in experiments for eps in experiment.feature_distance}
        passes = (1 + len(grid)) * _batches(counts.test, EVALUATION_BATCH, times.forward.seconds)
        if isinstance(cell.model, Untrained):
            # Its batch norms get their statistics from one pass over the training images.
            passes += _batches(counts.train, EVALUATION_BATCH, times.forward.seconds)
        return times.build + passes


def _checks(times: NetworkTimes, sources: int, images: int) -> float:
    """The symptoms of :mod:`rst_core.suspicion`, on the model that was attacked.

    Three looks, a gradient, and PGD in a ball so large that hardly an image of a single model
    stands after its first step; a candidate set has no first success, and takes all steps.
    """
    look, gradient = times.forward.seconds(images), times.gradient.seconds(images)
    if sources == 1:
        return 3 * look + 2 * gradient + (CHECK_STEPS - 1) * times.gradient.seconds(1)
    return sources * (3 * look + (1 + CHECK_STEPS) * (gradient + look))


def _masking(cell: TrainingCell, times: TrainingTimes) -> float:
    match cell.model:
        case Ticket():
            return times.search
        case Dense():
            return 0.0
        case _:
            return times.finetune


def _calls(curve: Curve, number: int, multiple: int, first: float, others: float) -> float:
    if not number:
        return 0.0
    return curve.seconds(multiple * first) + (number - 1) * curve.seconds(multiple * others)


def _batches(images: int, batch: int, seconds: Callable[[int], float]) -> float:
    """Sum over whole batches and a last partial one."""
    whole, rest = divmod(images, batch)
    return whole * seconds(batch) + (seconds(rest) if rest else 0.0)

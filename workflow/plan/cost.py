"""Operations of a cell: how many passes over how many images its settings ask for.

An upper bound where an attack stops at an image that is misclassified: every image is counted
with every step. Not counted: an attack's own arithmetic, masks, loading images, starting a job,
the 100 images on which an attack is checked.
"""

from __future__ import annotations

from typing import NamedTuple, assert_never

from rst_core.identity import (
    CandidateSet,
    Cell,
    Evaluation,
    FeatureDistance,
    Ticket,
    TrainingCell,
    TransferRow,
    Untrained,
)
from rst_core.settings import AttackSpec, training_attack
from rst_core.vocabulary import Selection
from workflow.plan.needs import group_of
from workflow.plan.operations import Operations
from workflow.plan.project import Project


class Passes(NamedTuple):
    """Of one attacked image, if no step is left out.

    Attributes:
        gradient: forward passes with a backward pass towards the image.
        forward: forward passes alone.
    """

    gradient: int
    forward: int


def passes(spec: AttackSpec) -> Passes:
    """Passes of an attack: those that its method declares for each declared step."""
    declared = spec.described()
    steps = 1
    for parameter in ("steps", "restarts", "search_steps"):
        steps *= declared.get(parameter) or 1
    return Passes(spec.method.gradients * steps, spec.method.forwards * steps)


class Cost(NamedTuple):
    """Of one cell: floating-point operations, and bytes of its files at most."""

    operations: float
    bytes: float


class CostModel:
    """Costs of a project's cells; cells that differ in seed or size only are counted once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._matrix = project.matrix
        self._known: dict[tuple[object, ...], Cost] = {}

    def __call__(self, cell: Cell) -> Cost:
        """The cost of one cell alone: what it is made from exists.

        Raises:
            PlanError: if nobody knows how many images its dataset has.
            ConfigError: if the config lacks its attack, network or dataset.
        """
        model = cell.model
        adversary = None if isinstance(model, Untrained) else model.adversary
        # Models that are attacked at once, and models that see the images.
        sources = len(model.keep_ratios) if isinstance(model, CandidateSet) else 1
        targets = len(self._matrix.targets(cell)) if isinstance(cell, TransferRow) else sources
        alike = (*group_of(cell), type(model), adversary, sources, targets)
        if alike not in self._known:
            match cell:
                case TrainingCell():
                    self._known[alike] = self._training(cell)
                case Evaluation() | TransferRow():
                    self._known[alike] = self._attack(cell, sources, targets)
                case FeatureDistance():
                    self._known[alike] = self._features(cell)
                case _:
                    assert_never(cell)
        return self._known[alike]

    def _operations(self, cell: Cell) -> Operations:
        network = cell.model.network
        images = self._matrix.config.datasets[network.dataset].images
        build = self._matrix.network_settings(network)
        return self._project.count(build, images.classes, images.image_size)

    def _training(self, cell: TrainingCell) -> Cost:
        one, adversary = self._operations(cell), cell.model.adversary
        dataset, kept = cell.model.network.dataset, self._matrix.config.keep_selections
        settings, images = self._matrix.training_settings(dataset), self._project.images(dataset)
        steps = training_attack(adversary.method, adversary.eps).steps if adversary else 0
        measured = images.validation + (images.test if Selection.BEST_TEST in kept else 0)
        epoch = images.train * (one.update + steps * one.gradient) + measured * one.forward
        if adversary:
            epoch += measured * (settings.validation_steps * one.gradient + one.forward)
        # A ticket is a bit a weight before it is compressed.
        size = one.weights * (1 / 8 if isinstance(cell.model, Ticket) else 4)
        if cell.model.path in self._matrix.foreign:
            return Cost(0, len(kept) * (size + 4 * one.weights))
        return Cost(settings.epochs * epoch, len(kept) * size)

    def _attack(self, cell: Evaluation | TransferRow, sources: int, targets: int) -> Cost:
        one, spec = self._operations(cell), self._matrix.attack(cell)
        tests = self._project.images(cell.model.network.dataset).test
        images = min(tests, spec.images or tests)
        taken = passes(spec)
        # The members of a set are computed again for a gradient, so that they fit a device.
        gradient = one.gradient + (one.forward if sources > 1 else 0)
        attack = sources * (taken.gradient * gradient + taken.forward * one.forward)
        # Clean and robust outcomes are a bit an image, in base64.
        size = 2e3 + targets * (300 + 2 * images / 8 * 4 / 3)
        return Cost(images * (attack + 2 * targets * one.forward), size)

    def _features(self, cell: FeatureDistance) -> Cost:
        one, images = self._operations(cell), self._project.images(cell.model.network.dataset)
        seen = (1 + len(self._matrix.noise_grid)) * images.test
        # The batch norms of an untrained network get their statistics from the training images.
        seen += images.train if isinstance(cell.model, Untrained) else 0
        return Cost(seen * one.forward, 2e3)

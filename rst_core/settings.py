"""Parameters of a cell: frozen, validated on construction, each with its unit.

An identity (:mod:`rst_core.identity`) says *which* cell; settings say *how* it is computed.
Field metadata carries help text and range, each stated once: the command line, the config's
validator and its JSON schema are made from them.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, assert_never

from rst_core.forms import types_of
from rst_core.ranges import IMAGES, SEED, SIZE, Range, check_ranges, option, require
from rst_core.vocabulary import (
    Architecture,
    AttackMethod,
    Combination,
    Norm,
    Precision,
    Schedule,
    SearchMethod,
    Source,
)

#: Read by the workflow's validator: a key that no field has is an error, and so is NaN.
_STRICT = {"extra": "forbid", "allow_inf_nan": False}
_POSITIVE = Range(SIZE.low, 10_000)


@dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """Where images come from, and how they are split, normalised and augmented."""

    __pydantic_config__: ClassVar = _STRICT

    source: Source = option(
        "torchvision; folder (train/<class>/… and test/<class>/… or val/<class>/…), read into "
        "memory; streamed_folder (the same), decoded in every epoch; packed, one file of decoded "
        "images; or digits"
    )
    variant: str = option(
        "torchvision: class name such as CIFAR10; digits: which task; folders: unused", ""
    )
    path: str = option("folder that holds the data (packed: the file; unused by digits)", "data")
    classes: int = option("number of classes", within=Range(2, 100_000))
    image_size: int = option("side of the square images, in pixels", 32, Range(4, 4096))
    mean: tuple[float, float, float] = option("channel means on [0, 1] images", each=Range(0, 1))
    std: tuple[float, float, float] = option(
        "channel standard deviations on [0, 1] images", each=Range(1e-3, 1)
    )
    crop_padding: int = option(
        "random crop: zero padding on each side, in pixels; 0 is off, and for streamed_folder a "
        "random resized crop",
        4,
        Range(0, 4096),
    )
    flip: bool = option("random horizontal flips", True)
    validation_images: int = option("images held out of the training set", 1000, IMAGES)
    validation_seed: int = option("seed of that split", 0, SEED)

    def __post_init__(self) -> None:
        check_ranges(self)
        variants = _VARIANTS.get(self.source, {self.variant: 0})
        allowed = f"one of {', '.join(variants)}: {self.source} has these"
        require(self.variant in variants, "variant", self.variant, allowed)
        classes = variants.get(self.variant) or self.classes
        require(self.classes == classes, "classes", self.classes, f"{classes} for {self.variant}")
        side, padding, streamed = self.image_size, self.crop_padding, Source.STREAMED_FOLDER
        fits = side == 32 or self.source is not Source.TORCHVISION
        require(fits, "image_size", side, f"32 for {self.variant}")
        require(padding < side, "crop_padding", padding, f"0 to {side - 1}, less than image_size")
        allowed = f"0 for {streamed}, whose training images are random resized crops"
        require(padding == 0 or self.source is not streamed, "crop_padding", padding, allowed)

    @property
    def description(self) -> str:
        """The dataset in a message: where it comes from and which it is."""
        on_disk = (Source.FOLDER, Source.STREAMED_FOLDER, Source.PACKED)
        which = self.path if self.source in on_disk else self.variant
        return f"dataset {self.source}:{which}"


#: What a source of several datasets has, with their numbers of classes.
_VARIANTS: dict[Source, dict[str, int]] = {
    Source.TORCHVISION: {"CIFAR10": 10, "CIFAR100": 100, "SVHN": 10},
    Source.DIGITS: {"plain": 10, "tinted": 20, "street": 10},
}


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """An architecture and its width."""

    __pydantic_config__: ClassVar = _STRICT

    architecture: Architecture = option("architecture")
    width: float = option(
        "factor on the number of channels; 1 is the paper's", 1.0, Range(0.01, 16)
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        # Torchvision's.
        fixed = (Architecture.RESNET18, Architecture.RESNET50, Architecture.RESNET101)
        free = self.width == 1 or self.architecture not in fixed
        require(free, "width", self.width, f"1 for torchvision's {self.architecture}")


@dataclass(frozen=True, kw_only=True)
class AttackSpec:
    """Everything an attack is determined by, but the model and the images.

    ``eps`` and ``step_size`` are in 1/255 for L-infinity and on [0, 1] images for L2. A
    parameter that the method does not have (:class:`~rst_core.vocabulary.AttackMethod`) stays at
    its default, and :meth:`described` leaves it out.

    Raises:
        ValueError: for a value out of range, for a parameter that the method lacks, and for
            one that it needs and does not get.
    """

    __pydantic_config__: ClassVar = _STRICT

    name: str = option("name of the attack")
    method: AttackMethod = option("algorithm")
    norm: Norm = option("norm of the perturbation")
    eps: float | None = option(
        "radius: 1/255 (linf), [0, 1] images (l2); cw_l2 takes none",
        None,
        Range(0, SIZE.high),
    )
    steps: int = option(
        "gradient steps; cw_l2: iterations; bandits: steps of two queries each; square: queries",
        1,
        Range(1, 1_000_000),
    )
    step_size: float = option("step: 1/255 (linf), [0, 1] images (l2)", 0.0, Range(0, SIZE.high))
    random_start: bool = option("start uniformly in the ball", False)
    restarts: int = option(
        "independent runs; an image is misclassified if one of them succeeds", 1, Range(1, 1000)
    )
    stop_at_success: bool = option(
        "stop attacking an image once it is misclassified (eot: by every member)", True
    )
    seed: int = option("seed of all random draws", 0, SEED)
    images: int | None = option("attack only the first N test images (default: all)", None, IMAGES)
    learning_rate: float | None = option(
        "cw_l2: Adam's, in tanh space; bandits: the prior's", None, _POSITIVE
    )
    search_steps: int | None = option(
        "cw_l2: binary search steps on the constant", None, Range(1, 100)
    )
    constant: float | None = option("cw_l2: initial weight of misclassification", None, _POSITIVE)
    probe: float | None = option(
        "bandits: L2 length of a query's offset, on [0, 1] images", None, SIZE
    )
    exploration: float | None = option(
        "bandits: L2 length of a random move of the prior", None, SIZE
    )
    tiles: int | None = option(
        "bandits: tiles of the prior along each side of the image", None, Range(1, 4096)
    )
    combine: Combination | None = option(
        "apgd: how the loss combines a candidate set's members", None
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.method.has_eps:
            allowed = f"a size, in 1/255 (linf) or on [0, 1] images (l2): {self.method} needs it"
            require(self.eps is not None, "eps", self.eps, allowed)
        else:
            _unused("eps", self.eps, None, f"{self.method} takes no eps")
        norms, applied = self.method.norms, self.method.parameters
        require(self.norm in norms, "norm", self.norm, f"{' or '.join(norms)} for {self.method}")
        for key in _METHOD_FIELDS:
            value, default = getattr(self, key), type(self).__dataclass_fields__[key].default
            if key not in applied:
                _unused(key, value, default, f"{self.method} takes no {key}")
            elif key == "step_size":  # 0, its default, is no step
                allowed = f"a positive number from {SIZE.low:g}: {self.method} needs it"
                require(value >= SIZE.low, key, value, allowed)
            elif default is None:
                allowed = f"{_allowed(key)}: {self.method} needs it"
                require(value is not None, key, value, allowed)
        one = self.restarts == 1 or self.random_start or "random_start" not in applied
        require(
            one,
            "restarts",
            self.restarts,
            "1 without random_start: all restarts would be identical",
        )

    def described(self) -> dict[str, Any]:
        """The parameters that this method has, for a cell's record."""
        silent = _METHOD_FIELDS - self.method.parameters
        if self.images is None:
            silent |= {"images"}
        return {key: value for key, value in asdict(self).items() if key not in silent}


_METHOD_FIELDS = frozenset[str]().union(*(method.parameters for method in AttackMethod))


def _allowed(key: str) -> str:
    """The values that a parameter of an attack may have, in words."""
    within = AttackSpec.__dataclass_fields__[key].metadata["range"]
    return f"a number {within}" if within else f"one of {', '.join(types_of(AttackSpec)[key])}"


def _unused(key: str, value: object, default: object, reason: str) -> None:
    """Raise ``ValueError`` for a value that would be accepted and do nothing."""
    if value != default:
        found = list(value) if isinstance(value, tuple) else value
        do = "give it empty" if isinstance(value, tuple) else "leave it out"
        raise ValueError(f"{key} is {found!r}, but {reason}; {do}")


def check_fits(spec: AttackSpec, image_size: int) -> None:
    """Raise ``ValueError`` for an attack that is larger than images of that side in pixels."""
    pixels = f"on images of {image_size} x {image_size} pixels"
    tiles = spec.tiles is None or spec.tiles <= image_size
    require(tiles, "tiles", spec.tiles, f"1 to {image_size} {pixels}")
    diameter = math.sqrt(3) * image_size
    sizes = {"probe": spec.probe}
    if spec.norm is Norm.L2:
        sizes |= {"eps": spec.eps, "step_size": spec.step_size}
    for key, size in sizes.items():
        allowed = f"at most {diameter:.4g} {pixels}, which is how far white is from black"
        require(size is None or size <= diameter, key, size, allowed)


def linf_pgd(
    name: str, eps: float, steps: int, step_size: float, *, random_start: bool = True, **more: Any
) -> AttackSpec:
    """PGD in an L-infinity ball; ``more`` are further fields."""
    return AttackSpec(
        name=name,
        method=AttackMethod.PGD,
        norm=Norm.LINF,
        eps=eps,
        steps=steps,
        step_size=step_size,
        random_start=random_start,
        **more,
    )


def validation_attack(eps: float, steps: int, seed: int = 0) -> AttackSpec:
    """PGD on held-out images, by which the epoch is chosen; step 2/255 at eps 8."""
    return linf_pgd(f"pgd{steps}", eps, steps, eps / 4, seed=seed)


def training_attack(method: SearchMethod, eps: float, seed: int = 0) -> AttackSpec:
    """The inner maximisation of Eq. 1 for a search method [3.2, 4.6, B].

    PGD-7 keeps its step of 2/255 at every eps, as the released code does; FGSM takes one
    full step from zero, FGSM-RS one of 1.25 eps from a uniform start. No image stops
    early: the search sees every step, as in the paper.
    """
    match method:
        case SearchMethod.PGD7:
            steps, step_size = 7, 2.0
        case SearchMethod.FGSM:
            steps, step_size = 1, eps
        case SearchMethod.FGSM_RS:
            steps, step_size = 1, 1.25 * eps
        case _:
            assert_never(method)
    return linf_pgd(
        method.value,
        eps,
        steps,
        step_size,
        random_start=method is not SearchMethod.FGSM,
        stop_at_success=False,
        seed=seed,
    )


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Optimiser and schedule of search, dense training and fine-tuning [B].

    The defaults are the paper's for CIFAR.
    """

    __pydantic_config__: ClassVar = _STRICT

    epochs: int = option("passes over the training images", 160, Range(1, 100_000))
    batch_size: int = option("images a step, over all devices", 256, Range(2, 1_000_000))
    lr: float = option("initial learning rate", 0.1, Range(1e-8, 100))
    schedule: Schedule = option("step (decay at decay_epochs) or cosine", Schedule.STEP)
    decay_epochs: tuple[int, ...] = option(
        "epochs at which the rate decays (step)", (80, 120), each=Range(1, 100_000)
    )
    decay_factor: float = option("factor of each decay (step)", 0.1, Range(1e-6, 1))
    warmup_epochs: int = option("epochs of linear warm-up (cosine)", 0, Range(0, 100_000))
    momentum: float = option("SGD momentum", 0.9, Range(0, 1, below=True))
    weight_decay: float = option("SGD weight decay", 5e-4, Range(0, 1))
    precision: Precision = option("arithmetic of training", Precision.TF32)
    validation_steps: int = option(
        "PGD steps on validation images to choose the epoch", 20, Range(1, 10_000)
    )

    def __post_init__(self) -> None:
        check_ranges(self)
        step = self.schedule is Schedule.STEP
        unused = "warmup_epochs" if step else "decay_epochs"
        value = getattr(self, unused)
        _unused(unused, value, type(value)(), f"schedule {self.schedule} takes no {unused}")
        if not self.decay_epochs:
            default = type(self).decay_factor
            _unused("decay_factor", self.decay_factor, default, "there are no decay_epochs")
        require(
            all(e < self.epochs for e in self.decay_epochs)
            and list(self.decay_epochs) == sorted(set(self.decay_epochs)),
            "decay_epochs",
            self.decay_epochs,
            f"rising epochs below epochs={self.epochs}",
        )
        warmup = self.warmup_epochs
        require(warmup < self.epochs, "warmup_epochs", warmup, f"0 to {self.epochs - 1}")

"""Parameters of a cell: frozen, validated on construction, each with its unit.

An identity (:mod:`rst_core.spec`) says *which* cell; settings say *how* it is computed.
Field metadata carries the help text from which the command line is made.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

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

#: Read by the workflow's validator: a key that no field has is an error.
_STRICT = {"extra": "forbid"}


def option(help_text: str, default: Any = ...) -> Any:
    """A dataclass field with help for config, schema and command line."""
    metadata = {"help": help_text}
    if default is ...:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def _require(condition: bool, key: str, value: object, allowed: str) -> None:
    if not condition:
        raise ValueError(f"{key} is {value!r}; allowed is {allowed}")


@dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """Where images come from, and how they are split, normalised and augmented."""

    __pydantic_config__: ClassVar = _STRICT

    source: Source = option(
        "torchvision; folder (train/<class>/…, test/<class>/…), read into memory; streamed_folder "
        "(the same, or with val/ for test/), decoded in every epoch; packed, one file of decoded "
        "images; or digits"
    )
    variant: str = option(
        "torchvision: class name such as CIFAR10; digits: which task; folders: unused", ""
    )
    path: str = option("folder that holds the data (packed: the file; unused by digits)", "data")
    classes: int = option("number of classes")
    image_size: int = option("side of the square images, in pixels", 32)
    mean: tuple[float, float, float] = option("channel means on [0, 1] images")
    std: tuple[float, float, float] = option("channel standard deviations on [0, 1] images")
    crop_padding: int = option(
        "random crop: zero padding on each side, in pixels; 0 is off, and for streamed_folder a "
        "random resized crop",
        4,
    )
    flip: bool = option("random horizontal flips", True)
    validation_images: int = option("images held out of the training set", 1000)
    validation_seed: int = option("seed of that split", 0)

    def __post_init__(self) -> None:
        _require(self.classes >= 2, "classes", self.classes, "an integer of at least 2")
        _require(self.image_size >= 4, "image_size", self.image_size, "at least 4 pixels")
        _require(self.crop_padding >= 0, "crop_padding", self.crop_padding, "0 or more pixels")
        _require(
            self.crop_padding == 0 or self.source is not Source.STREAMED_FOLDER,
            "crop_padding",
            self.crop_padding,
            "0 for streamed_folder, whose training images are random resized crops",
        )
        _require(
            self.validation_images > 0, "validation_images", self.validation_images, "at least 1"
        )
        _require(all(s > 0 for s in self.std), "std", self.std, "three positive numbers")

    @property
    def description(self) -> str:
        """The dataset in a message: where it comes from and which it is."""
        on_disk = (Source.FOLDER, Source.STREAMED_FOLDER, Source.PACKED)
        which = self.path if self.source in on_disk else self.variant
        return f"dataset {self.source}:{which}"


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """An architecture and its width."""

    __pydantic_config__: ClassVar = _STRICT

    architecture: Architecture = option("architecture")
    width: float = option("factor on the number of channels; 1 is the paper's", 1.0)

    def __post_init__(self) -> None:
        _require(self.width > 0, "width", self.width, "a positive factor such as 0.25")


@dataclass(frozen=True, kw_only=True)
class AttackSpec:
    """Everything an attack is determined by, but the model and the images.

    ``eps`` and ``step_size`` are in 1/255 for L-infinity and on [0, 1] images for L2. A
    parameter that the method does not have stays at its default (:data:`_APPLIES`), and
    :meth:`described` leaves it out.

    Raises:
        ValueError: for a value out of range, for a parameter that the method lacks, and for
            one that it needs and does not get.
    """

    __pydantic_config__: ClassVar = _STRICT

    name: str = option("name of the attack")
    method: AttackMethod = option("algorithm")
    norm: Norm = option("norm of the perturbation")
    eps: float | None = option(
        "radius: 1/255 (linf), [0, 1] images (l2); cw_l2 has none and needs none", None
    )
    steps: int = option(
        "gradient steps; cw_l2: iterations; bandits: steps of two queries each; square: queries", 1
    )
    step_size: float = option("step: 1/255 (linf), [0, 1] images (l2)", 0.0)
    random_start: bool = option("start uniformly in the ball", False)
    restarts: int = option("independent runs; an image falls if one of them succeeds", 1)
    stop_at_success: bool = option("leave an image as soon as it is misclassified", True)
    seed: int = option("seed of all random draws", 0)
    images: int | None = option("attack the first N test images only; left out: all", None)
    learning_rate: float | None = option("cw_l2: Adam's, in tanh space; bandits: the prior's", None)
    search_steps: int | None = option("cw_l2: binary search steps on the constant", None)
    constant: float | None = option("cw_l2: initial weight of misclassification", None)
    probe: float | None = option("bandits: L2 length of a query's offset, on [0, 1] images", None)
    exploration: float | None = option("bandits: L2 length of a random move of the prior", None)
    tiles: int | None = option("bandits: tiles of the prior along each side of the image", None)
    combine: Combination | None = option(
        "apgd: what of a candidate set's members the loss is of", None
    )

    def __post_init__(self) -> None:
        if self.method.has_eps:
            _require(self.eps is not None and self.eps >= 0, "eps", self.eps, "0 or more")
        else:
            _require(self.eps is None, "eps", self.eps, f"none: {self.method} has no ball")
        norms = _NORMS.get(self.method, tuple(Norm))
        _require(self.norm in norms, "norm", self.norm, f"{' or '.join(norms)} for {self.method}")
        _require(self.steps >= 1, "steps", self.steps, "at least 1")
        _require(self.step_size >= 0, "step_size", self.step_size, "0 or more")
        _require(self.restarts >= 1, "restarts", self.restarts, "at least 1")
        _require(self.images is None or self.images >= 1, "images", self.images, "at least 1")
        for key in _METHOD_FIELDS:
            value, default = getattr(self, key), type(self).__dataclass_fields__[key].default
            if key not in _APPLIES[self.method]:
                _require(value == default, key, value, f"nothing: {self.method} has no such thing")
            elif key == "combine":
                allowed = f"one of {', '.join(Combination)}: {self.method} needs it"
                _require(value is not None, key, value, allowed)
            elif default is None:
                allowed = f"a positive number: {self.method} needs it"
                _require(value is not None and value > 0, key, value, allowed)

    def described(self) -> dict[str, Any]:
        """The parameters that this method has, for a cell's record."""
        silent = _METHOD_FIELDS - _APPLIES[self.method]
        if self.images is None:
            silent |= {"images"}
        return {key: value for key, value in asdict(self).items() if key not in silent}


_GRADIENT_STEPS = frozenset({"steps", "step_size", "random_start", "restarts", "stop_at_success"})
#: Parameters that a method has beside name, norm, eps, seed and images.
_APPLIES: dict[AttackMethod, frozenset[str]] = {
    AttackMethod.PGD: _GRADIENT_STEPS,
    AttackMethod.EOT: _GRADIENT_STEPS,
    AttackMethod.ENSEMBLE: _GRADIENT_STEPS,
    AttackMethod.CW_INF: frozenset({"steps", "step_size", "random_start"}),
    AttackMethod.CW_L2: frozenset({"steps", "learning_rate", "search_steps", "constant"}),
    # Parameter-free is what the name says: the versions are fixed by their authors.
    AttackMethod.AUTO_ATTACK: frozenset(),
    AttackMethod.AUTO_ATTACK_RAND: frozenset(),
    AttackMethod.APGD: frozenset({"steps", "restarts", "combine"}),
    AttackMethod.AUTO_ATTACK_EXPECTED: frozenset(),
    AttackMethod.SQUARE: frozenset({"steps"}),
    AttackMethod.BANDITS: frozenset(
        {"steps", "step_size", "learning_rate", "probe", "exploration", "tiles"}
    ),
}
_METHOD_FIELDS: frozenset[str] = frozenset().union(*_APPLIES.values())
#: Norms of the methods that do not have all.
_NORMS: dict[AttackMethod, tuple[Norm, ...]] = {
    AttackMethod.CW_INF: (Norm.LINF,),
    AttackMethod.CW_L2: (Norm.L2,),
    AttackMethod.BANDITS: (Norm.LINF,),
    AttackMethod.APGD: (Norm.LINF,),
    AttackMethod.AUTO_ATTACK_EXPECTED: (Norm.LINF,),
    AttackMethod.SQUARE: (Norm.LINF,),
}


def uses(method: AttackMethod, parameter: str) -> bool:
    """Whether a method has a parameter of :class:`AttackSpec`."""
    return parameter in _APPLIES[method]


def validation_attack(eps: float, steps: int, seed: int = 0) -> AttackSpec:
    """PGD on held-out images, by which the epoch is chosen; step 2/255 at eps 8."""
    return AttackSpec(
        name=f"pgd{steps}",
        method=AttackMethod.PGD,
        norm=Norm.LINF,
        eps=eps,
        steps=steps,
        step_size=eps / 4,
        random_start=True,
        seed=seed,
    )


def training_attack(method: SearchMethod, eps: float, seed: int = 0) -> AttackSpec:
    """The inner maximisation of Eq. 1 for a search method [3.2, 4.6, B].

    PGD-7 keeps its step of 2/255 at every eps, as the released code does; FGSM takes one
    full step from zero, FGSM-RS one of 1.25 eps from a uniform start. No image stops
    early: the search sees every step, as in the paper.
    """
    steps, step_size, random_start = {
        SearchMethod.PGD7: (7, 2.0, True),
        SearchMethod.FGSM: (1, eps, False),
        SearchMethod.FGSM_RS: (1, 1.25 * eps, True),
    }[method]
    return AttackSpec(
        name=method.value,
        method=AttackMethod.PGD,
        norm=Norm.LINF,
        eps=eps,
        steps=steps,
        step_size=step_size,
        random_start=random_start,
        stop_at_success=False,
        seed=seed,
    )


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Optimiser and schedule of search, dense training and fine-tuning [B].

    The defaults are the paper's for CIFAR.
    """

    __pydantic_config__: ClassVar = _STRICT

    epochs: int = option("passes over the training images", 160)
    batch_size: int = option("images a step, over all devices", 256)
    lr: float = option("initial learning rate", 0.1)
    schedule: Schedule = option("step (decay at decay_epochs) or cosine", Schedule.STEP)
    decay_epochs: tuple[int, ...] = option("epochs at which the rate decays (step)", (80, 120))
    decay_factor: float = option("factor of each decay (step)", 0.1)
    warmup_epochs: int = option("epochs of linear warm-up (cosine)", 0)
    momentum: float = option("SGD momentum", 0.9)
    weight_decay: float = option("SGD weight decay", 5e-4)
    precision: Precision = option("arithmetic of training", Precision.FLOAT32)
    validation_steps: int = option("PGD steps on validation images to choose the epoch", 20)

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        _require(self.batch_size >= 2, "batch_size", self.batch_size, "at least 2 images")
        _require(self.lr > 0, "lr", self.lr, "a positive number")
        _require(
            all(0 < e < self.epochs for e in self.decay_epochs)
            and list(self.decay_epochs) == sorted(set(self.decay_epochs)),
            "decay_epochs",
            self.decay_epochs,
            f"rising epochs below epochs={self.epochs}",
        )
        _require(
            0 <= self.warmup_epochs < self.epochs,
            "warmup_epochs",
            self.warmup_epochs,
            f"0 to {self.epochs - 1}",
        )
        _require(self.validation_steps >= 1, "validation_steps", self.validation_steps, "1 or more")


def learning_rate(settings: TrainingSettings, epoch: int) -> float:
    """Learning rate of an epoch, counted from 0."""
    if settings.schedule is Schedule.STEP:
        decays = sum(epoch >= e for e in settings.decay_epochs)
        return settings.lr * settings.decay_factor**decays
    if epoch < settings.warmup_epochs:
        return settings.lr * (epoch + 1) / settings.warmup_epochs
    done = (epoch - settings.warmup_epochs) / (settings.epochs - settings.warmup_epochs)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * done))

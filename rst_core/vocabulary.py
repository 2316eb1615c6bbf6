"""The closed vocabulary of the experiment matrix; strings become members at the edge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Init(StrEnum):
    """How the never-trained weights are drawn [4.1]."""

    SIGNED_KAIMING_CONSTANT = "signed_kaiming_constant"
    KAIMING_NORMAL = "kaiming_normal"
    XAVIER_NORMAL = "xavier_normal"
    KAIMING_UNIFORM = "kaiming_uniform"


class Pattern(StrEnum):
    """Granularity of a mask inside a convolution [4.5]."""

    ELEMENT = "element"
    ROW = "row"
    KERNEL = "kernel"
    CHANNEL = "channel"


class ScoreInit(StrEnum):
    """How a structured pattern's initial scores are drawn [3.2]; element scores: alike by both.

    ``released``: as the released code's classes do, row and kernel scores Kaiming uniform over
    the score's own fan, channel scores from N(0, 1). ``weight_fan``: all of them Kaiming uniform
    over the weight's fan.
    """

    RELEASED = "released"
    WEIGHT_FAN = "weight_fan"


class SearchMethod(StrEnum):
    """How the inner maximisation of Eq. 1 is solved while training [4.6]."""

    PGD7 = "pgd7"
    FGSM = "fgsm"
    FGSM_RS = "fgsm_rs"


class Origin(StrEnum):
    """Whose frozen weights a ticket is drawn from [3.2, 5.2, 6.3]."""

    RST = "rst"
    RTT_NATURAL = "rtt_natural"
    RTT_ADVERSARIAL = "rtt_adversarial"
    RTT_TRANSFERRED = "rtt_transferred"


class Start(StrEnum):
    """Where the weights of a fine-tuned ticket start [5.1]."""

    INHERITED = "inherited"
    REINITIALISED = "reinitialised"


class Selection(StrEnum):
    """Which epoch of a training run is kept.

    ``best_test`` is the paper's protocol: it chooses on the test set, and every number
    made with it is labelled so.
    """

    BEST_VAL = "best_val"
    LAST = "last"
    BEST_TEST = "best_test"


class Norm(StrEnum):
    """Norm of the perturbation. L-infinity sizes are in 1/255, L2 sizes on [0, 1] images."""

    LINF = "linf"
    L2 = "l2"


@dataclass(frozen=True)
class _About:
    """What is declared of an attack method; every :class:`AttackMethod` has the same attributes.

    Attributes:
        function: its module in ``rst_core.attacks`` and its function there, which load torch.
        parameters: fields of ``AttackSpec`` that it has beside name, norm, eps, seed and images,
            separated by blanks.
        gradients: passes with a gradient towards the image, an image and declared step.
        forwards: passes without one, an image and declared step.
        norms: of the perturbation.
        on_sets: whether it attacks a candidate set as a whole, and not one model.
        has_eps: whether it looks inside a ball; CW-L2 looks for the nearest image that fools.
    """

    function: str
    parameters: str = ""
    gradients: int = 1
    forwards: int = 0
    norms: tuple[Norm, ...] = tuple(Norm)
    on_sets: bool = False
    has_eps: bool = True


_PGD = "steps step_size random_start restarts stop_at_success"
_BANDITS = "steps step_size learning_rate probe exploration tiles"
_LINF, _L2 = (Norm.LINF,), (Norm.L2,)


class AttackMethod(StrEnum):
    """The algorithm behind an attack spec.

    FGSM and FGSM-RS are PGD with one step. ``eot`` and ``ensemble`` are PGD against a whole
    candidate set [6.3], in another view of it (:func:`rst_core.models.r2s.adversary_view`).
    """

    function: str
    parameters: frozenset[str]
    gradients: int
    forwards: int
    norms: tuple[Norm, ...]
    on_sets: bool
    has_eps: bool

    def __new__(cls, word: str, about: _About) -> Self:
        """A member whose value is its word."""
        member = str.__new__(cls, word)
        member._value_ = word
        declared = vars(about) | {"parameters": frozenset(about.parameters.split())}
        for name, value in declared.items():
            setattr(member, name, value)
        return member

    PGD = "pgd", _About("gradient.pgd", _PGD)
    EOT = "eot", _About("gradient.pgd", _PGD, on_sets=True)
    ENSEMBLE = "ensemble", _About("gradient.pgd", _PGD, on_sets=True)
    CW_INF = "cw_inf", _About("reference.cw_inf", "steps step_size random_start", norms=_LINF)
    CW_L2 = (
        "cw_l2",
        _About(
            "reference.cw_l2", "steps learning_rate search_steps constant", norms=_L2, has_eps=False
        ),
    )
    # Auto-Attack has no parameters: its authors fix the parts. Standard: APGD on the cross-entropy,
    # targeted APGD and targeted FAB against 9 classes of 100 steps each, Square of 5,000 queries.
    # Rand: two APGDs of 100 steps that average 20 gradients each; the expected version draws none.
    AUTO_ATTACK = "auto_attack", _About("reference.auto_attack", gradients=1910, forwards=5954)
    AUTO_ATTACK_RAND = (
        "auto_attack_rand",
        _About("reference.auto_attack", gradients=4040, forwards=7),
    )
    # Of every step of Bandits the image and two queries.
    BANDITS = "bandits", _About("bandits.bandits", _BANDITS, 0, 3, norms=_LINF)
    APGD = (
        "apgd",
        _About("expectation.apgd", "steps restarts combine", norms=_LINF, on_sets=True),
    )
    AUTO_ATTACK_EXPECTED = (
        "auto_attack_expected",
        _About("expectation.auto_attack_expected", "", 202, 7, norms=_LINF, on_sets=True),
    )
    SQUARE = "square", _About("expectation.square", "steps", 0, 1, norms=_LINF, on_sets=True)


class Combination(StrEnum):
    """What of a candidate set's members an attack maximises the loss of.

    ``losses``: their mean loss, whose gradient is EOT's. ``logits``, ``probabilities``: the
    loss of their averaged logits, or softmax outputs. ``worst``: for each image the loss of the
    member that resists most, which has the largest margin between the right logit and
    the largest wrong one.
    """

    LOSSES = "losses"
    LOGITS = "logits"
    PROBABILITIES = "probabilities"
    WORST = "worst"


class Source(StrEnum):
    """Where a dataset's images come from.

    A ``folder`` of images of one size is read into memory; a ``streamed_folder`` of images
    of any size, such as ImageNet, is decoded anew in every epoch. A ``packed`` file holds
    images of one size that somebody has decoded already.
    """

    TORCHVISION = "torchvision"
    FOLDER = "folder"
    STREAMED_FOLDER = "streamed_folder"
    PACKED = "packed"
    DIGITS = "digits"


class Architecture(StrEnum):
    """Network architectures that can be built."""

    PREACT_RESNET18 = "preact_resnet18"
    POSTACT_RESNET18 = "postact_resnet18"
    WIDE_RESNET34 = "wide_resnet34"
    RESNET18 = "resnet18"
    RESNET50 = "resnet50"
    RESNET101 = "resnet101"


class CheckpointLayout(StrEnum):
    """How a foreign checkpoint names its tensors."""

    STATE_DICT = "state_dict"
    RELEASED = "released"


class Schedule(StrEnum):
    """Learning-rate schedule over epochs [B]."""

    STEP = "step"
    COSINE = "cosine"


class Device(StrEnum):
    """Where a job computes: ``auto`` takes a GPU if there is one."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"


class Precision(StrEnum):
    """Arithmetic of training; attacks and evaluation are always float32.

    ``tf32`` multiplies with 10 bits of mantissa where a GPU has the units for it; on a CPU and
    on older GPUs it is float32.
    """

    FLOAT32 = "float32"
    TF32 = "tf32"
    BFLOAT16 = "bfloat16"

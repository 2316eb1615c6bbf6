"""Identities of networks, models and cells. An identity and its path are one thing.

Every identity formats to a path that reads like the sentence it stands for and parses
back from it. Paths are relative to the folder that holds all cells; the workflow takes
its wildcard constraints from the regular expressions here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import PurePosixPath
from typing import ClassVar, assert_never

from rst_core.vocabulary import Init, Origin, Pattern, ScoreInit, SearchMethod, Selection, Start

_NAME = r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*"
_NUMBER = r"\d+(?:\.\d+)?"


def _one_of(vocabulary: type) -> str:
    return "|".join(member.value for member in vocabulary)  # type: ignore[attr-defined]


def format_number(value: float) -> str:
    """Shortest decimal of ``value``: 8 and 0.05, never 8.0 or 5e-2.

    Raises:
        ValueError: if the decimal would not parse back to the same number.
    """
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    if float(text) != value:
        raise ValueError(f"{value!r} cannot be part of a path: use at most six decimals")
    return text


def check_name(kind: str, value: str) -> None:
    """Raise ``ValueError`` unless ``value`` can name a ``kind`` inside a path."""
    if not re.fullmatch(_NAME, value):
        raise ValueError(
            f"{kind} is {value!r}; allowed are lower-case words joined by single underscores, "
            "such as 'resnet18_narrow'"
        )


def check_keep_ratio(value: float) -> None:
    """Raise ``ValueError`` unless ``value`` is a keep ratio."""
    if not 0 < value <= 1:
        raise ValueError(f"keep ratio is {value!r}; allowed is a fraction in (0, 1], such as 0.05")


@dataclass(frozen=True)
class Network:
    """An architecture with random weights, determined by these four values and the data's head.

    Attributes:
        dataset: name of the dataset, which fixes the number of classes.
        name: name of a network in the config.
        init: how the weights are drawn.
        seed: seed of weights, scores, batches and attacks.
    """

    dataset: str
    name: str
    init: Init
    seed: int

    REGEX: ClassVar[str] = (
        rf"(?P<dataset>{_NAME})/(?P<network>{_NAME})/(?P<init>{_one_of(Init)})-seed(?P<seed>\d+)"
    )

    def __post_init__(self) -> None:
        check_name("dataset", self.dataset)
        check_name("network", self.name)

    @cached_property
    def path(self) -> str:
        """For example ``cifar10/resnet18/signed_kaiming_constant-seed0``."""
        return f"{self.dataset}/{self.name}/{self.init}-seed{self.seed}"

    @classmethod
    def from_match(cls, groups: dict[str, str]) -> Network:
        """Build from the named groups of ``REGEX``."""
        return cls(groups["dataset"], groups["network"], Init(groups["init"]), int(groups["seed"]))


@dataclass(frozen=True)
class Adversary:
    """The inner maximisation of Eq. 1: a search method and its eps in 1/255."""

    method: SearchMethod
    eps: float

    REGEX: ClassVar[str] = rf"(?P<method>{_one_of(SearchMethod)})-eps(?P<eps>{_NUMBER})"

    @cached_property
    def path(self) -> str:
        """For example ``pgd7-eps8``."""
        return f"{self.method}-eps{format_number(self.eps)}"

    @classmethod
    def from_match(cls, groups: dict[str, str]) -> Adversary:
        """Build from the named groups of ``REGEX``."""
        return cls(SearchMethod(groups["method"]), float(groups["eps"]))


@dataclass(frozen=True)
class Untrained:
    """A network as it was drawn: no mask, no training [5.2, Fig. 4]."""

    network: Network

    FILE: ClassVar[None] = None
    REGEX: ClassVar[str] = "untrained"

    @cached_property
    def path(self) -> str:
        """The network's folder with ``untrained``."""
        return f"{self.network.path}/untrained"

    @classmethod
    def from_match(cls, groups: dict[str, str]) -> Untrained:
        """Build from the named groups of a model path."""
        return cls(Network.from_match(groups))


@dataclass(frozen=True)
class Dense:
    """A network whose weights were trained, naturally (no adversary) or adversarially."""

    network: Network
    adversary: Adversary | None

    FILE: ClassVar[str] = "weights.pt"
    REGEX: ClassVar[str] = rf"dense-(?:natural|adversarial-{Adversary.REGEX})"

    @cached_property
    def path(self) -> str:
        """For example ``…/dense-adversarial-pgd7-eps8``."""
        how = f"adversarial-{self.adversary.path}" if self.adversary else "natural"
        return f"{self.network.path}/dense-{how}"

    @classmethod
    def from_match(cls, groups: dict[str, str]) -> Dense:
        """Build from the named groups of a model path."""
        adversary = Adversary.from_match(groups) if groups["method"] else None
        return cls(Network.from_match(groups), adversary)


@dataclass(frozen=True)
class Ticket:
    """A mask found by search: an RST on random weights, an RTT on the weights of a dense.

    Attributes:
        network: the network that is pruned.
        origin: whose frozen weights.
        keep_ratio: fraction of prunable weights that stay in every layer.
        pattern: granularity of the mask.
        adversary: inner maximisation of the search.
        pretrained_on: for a transferred RTT the dataset of its dense, else None.
        score_init: how the search drew a structured pattern's scores.
    """

    network: Network
    origin: Origin
    keep_ratio: float
    pattern: Pattern
    adversary: Adversary
    pretrained_on: str | None = None
    score_init: ScoreInit = ScoreInit.RELEASED

    FILE: ClassVar[str] = "ticket.pt"
    REGEX: ClassVar[str] = (
        r"(?P<origin>rst|rtt_natural|rtt_adversarial"
        rf"|rtt_transferred_from_(?P<pretrained_on>{_NAME}))"
        rf"-keep(?P<keep_ratio>{_NUMBER})-(?P<pattern>{_one_of(Pattern)})"
        rf"(?:-(?P<score_init>{ScoreInit.WEIGHT_FAN}))?-{Adversary.REGEX}"
    )

    def __post_init__(self) -> None:
        check_keep_ratio(self.keep_ratio)
        if self.pattern is Pattern.ELEMENT and self.score_init is not ScoreInit.RELEASED:
            raise ValueError(
                f"an element ticket has score_init {self.score_init}; allowed is "
                f"{ScoreInit.RELEASED}: its scores' fan is the weight's"
            )
        if (self.origin is Origin.RTT_TRANSFERRED) != (self.pretrained_on is not None):
            raise ValueError(
                f"a ticket of origin {self.origin} has pretrained_on={self.pretrained_on!r}; "
                "exactly the transferred RTTs name the dataset of their dense"
            )

    @cached_property
    def recipe(self) -> str:
        """The last folder of the path, for example ``rst-keep0.2-element-pgd7-eps8``.

        Initial scores are named where they are not the default: ``rst-keep0.2-row-weight_fan-…``.
        """
        origin = f"{self.origin}_from_{self.pretrained_on}" if self.pretrained_on else self.origin
        keep = format_number(self.keep_ratio)
        named = [] if self.score_init is ScoreInit.RELEASED else [self.score_init]
        return "-".join([f"{origin}-keep{keep}", self.pattern, *named, self.adversary.path])

    @cached_property
    def path(self) -> str:
        """The network's folder with the recipe."""
        return f"{self.network.path}/{self.recipe}"

    @property
    def dense(self) -> Dense | None:
        """The trained network whose weights are frozen under the mask; None for an RST."""
        match self.origin:
            case Origin.RST:
                return None
            case Origin.RTT_NATURAL:
                return Dense(self.network, None)
            case Origin.RTT_ADVERSARIAL:
                return Dense(self.network, self.adversary)
            case Origin.RTT_TRANSFERRED:
                assert self.pretrained_on is not None
                source = replace(self.network, dataset=self.pretrained_on)
                return Dense(source, self.adversary)
            case _:
                assert_never(self.origin)

    @classmethod
    def from_match(cls, groups: dict[str, str]) -> Ticket:
        """Build from the named groups of a model path."""
        pretrained_on = groups["pretrained_on"]
        return cls(
            Network.from_match(groups),
            Origin.RTT_TRANSFERRED if pretrained_on else Origin(groups["origin"]),
            float(groups["keep_ratio"]),
            Pattern(groups["pattern"]),
            Adversary.from_match(groups),
            pretrained_on,
            ScoreInit(groups["score_init"] or ScoreInit.RELEASED),
        )


@dataclass(frozen=True)
class FineTuned:
    """A ticket whose surviving weights were adversarially trained under its fixed mask [5.1]."""

    ticket: Ticket
    start: Start

    FILE: ClassVar[str] = "weights.pt"
    REGEX: ClassVar[str] = rf"finetuned_(?P<start>{_one_of(Start)})_{Ticket.REGEX}"

    @property
    def network(self) -> Network:
        """The ticket's network."""
        return self.ticket.network

    @property
    def adversary(self) -> Adversary:
        """Fine-tuning uses the adversary of the search [5.3]."""
        return self.ticket.adversary

    @cached_property
    def path(self) -> str:
        """For example ``…/finetuned_inherited_rst-keep0.2-element-pgd7-eps8``."""
        return f"{self.network.path}/finetuned_{self.start}_{self.ticket.recipe}"

    @classmethod
    def from_match(cls, groups: dict[str, str]) -> FineTuned:
        """Build from the named groups of a model path."""
        return cls(Ticket.from_match(groups), Start(groups["start"]))


@dataclass(frozen=True)
class CandidateSet:
    """The tickets among which R2S switches: alike but for their keep ratio [6.2].

    In whatever order the keep ratios are given, they rise in ``keep_ratios`` and in the path.
    """

    network: Network
    origin: Origin
    keep_ratios: tuple[float, ...]
    pattern: Pattern
    adversary: Adversary

    FILE: ClassVar[None] = None
    REGEX: ClassVar[str] = (
        r"r2s_(?P<origin>rst|rtt_natural|rtt_adversarial)"
        rf"-keep(?P<keep_ratios>{_NUMBER}(?:\+{_NUMBER})+)"
        rf"-(?P<pattern>{_one_of(Pattern)})-{Adversary.REGEX}"
    )

    def __post_init__(self) -> None:
        if len(self.keep_ratios) < 2:
            raise ValueError(
                f"a candidate set has keep ratios {self.keep_ratios!r}; "
                "R2S switches among at least two"
            )
        for keep_ratio in self.keep_ratios:
            check_keep_ratio(keep_ratio)
        # One set, one path.
        object.__setattr__(self, "keep_ratios", tuple(sorted(self.keep_ratios)))
        if len(set(self.keep_ratios)) < len(self.keep_ratios):
            raise ValueError(
                f"a candidate set has keep ratios {self.keep_ratios!r}; each is allowed once"
            )

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """The members, in the order of the keep ratios."""
        return tuple(
            Ticket(self.network, self.origin, keep_ratio, self.pattern, self.adversary)
            for keep_ratio in self.keep_ratios
        )

    @cached_property
    def path(self) -> str:
        """For example ``…/r2s_rst-keep0.05+0.1-element-pgd7-eps8``."""
        keep = "+".join(format_number(k) for k in self.keep_ratios)
        recipe = f"r2s_{self.origin}-keep{keep}-{self.pattern}-{self.adversary.path}"
        return f"{self.network.path}/{recipe}"

    @classmethod
    def from_match(cls, groups: dict[str, str]) -> CandidateSet:
        """Build from the named groups of a model path."""
        return cls(
            Network.from_match(groups),
            Origin(groups["origin"]),
            tuple(float(k) for k in groups["keep_ratios"].split("+")),
            Pattern(groups["pattern"]),
            Adversary.from_match(groups),
        )


#: What is trained and stored in a file of its own.
Trained = Dense | Ticket | FineTuned
#: Everything that can be measured.
Model = Untrained | Trained | CandidateSet

_MODEL_CLASSES: tuple[type[Model], ...] = (Untrained, Dense, FineTuned, Ticket, CandidateSet)


@cache
def parse_model(path: str) -> Model:
    """Return the model whose path this is.

    Raises:
        ValueError: if the path names no model, or is not how the model's path is written.
    """
    for cls in _MODEL_CLASSES:
        match = re.fullmatch(f"{Network.REGEX}/{cls.REGEX}", path)
        if match:
            model: Model = cls.from_match(match.groupdict())
            _require_canonical(path, model.path)
            return model
    raise ValueError(
        f"{path!r} names no model; expected DATASET/NETWORK/INIT-seedN/RECIPE, such as "
        "'cifar10/resnet18/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8'"
    )


def _require_canonical(path: str, canonical: str) -> None:
    """One cell, one path: ``keep0.20`` names nothing beside ``keep0.2``."""
    if path != canonical:
        raise ValueError(f"{path!r} names nothing; it is written {canonical!r}")


@dataclass(frozen=True)
class TrainingCell:
    """Search, dense training or fine-tuning: one run, one model file for each selection."""

    model: Trained
    selection: Selection

    @cached_property
    def path(self) -> str:
        """For example ``…/rst-keep0.2-element-pgd7-eps8/best_val/ticket.pt``."""
        return f"{self.model.path}/{self.selection}/{self.model.FILE}"


@dataclass(frozen=True)
class Evaluation:
    """One attack on one model, or on a candidate set, over the whole test set.

    Attributes:
        attack: name of an attack in the config.
        eps: its size, in 1/255 (L-infinity) or on [0, 1] images (L2); None where it has none.
    """

    model: Dense | Ticket | FineTuned | CandidateSet
    selection: Selection
    attack: str
    eps: float | None

    REGEX: ClassVar[str] = (
        rf"(?!feature_distance(?:\.|$))(?P<attack>{_NAME})(?:-eps(?P<attack_eps>{_NUMBER}))?"
    )

    @cached_property
    def path(self) -> str:
        """For example ``…/best_val/pgd20-eps8.json``."""
        return f"{self.model.path}/{self.selection}/{_attack_name(self.attack, self.eps)}.json"


@dataclass(frozen=True)
class TransferRow:
    """Adversarial images of one source, evaluated on every model of a named target group [6.1].

    The source may be a candidate set, attacked as a whole and evaluated on the tickets of sets.
    """

    model: Dense | Ticket | CandidateSet
    selection: Selection
    targets: str
    attack: str
    eps: float | None

    REGEX: ClassVar[str] = rf"transfer_to_(?P<targets>{_NAME})-{Evaluation.REGEX}"

    @cached_property
    def path(self) -> str:
        """For example ``…/best_val/transfer_to_tickets-pgd20-eps8.json``."""
        attack = _attack_name(self.attack, self.eps)
        return f"{self.model.path}/{self.selection}/transfer_to_{self.targets}-{attack}.json"


@dataclass(frozen=True)
class FeatureDistance:
    """Distance of the last convolution's features under noise, over a grid of eps [5.2, Fig. 4]."""

    model: Untrained | Dense
    selection: Selection | None

    REGEX: ClassVar[str] = "feature_distance"

    @cached_property
    def path(self) -> str:
        """For example ``…/dense-natural/best_val/feature_distance.json``."""
        folder = f"{self.model.path}/{self.selection}" if self.selection else self.model.path
        return f"{folder}/feature_distance.json"


Cell = TrainingCell | Evaluation | TransferRow | FeatureDistance

_SELECTION = _one_of(Selection)
_MODEL_PATH = r"[^/]+/[^/]+/[^/]+/[^/]+"


def _attack_name(attack: str, eps: float | None) -> str:
    check_name("attack", attack)
    return attack if eps is None else f"{attack}-eps{format_number(eps)}"


def parse_cell(path: str) -> Cell:
    """Return the cell whose path, relative to the cells' folder, this is.

    Raises:
        ValueError: if the path names no cell, or is not how the cell's path is written.
    """
    match = re.fullmatch(rf"(?P<model>{_MODEL_PATH}?)/(?P<file>(?:[^/]+/)?[^/]+)", path)
    if not match:
        raise ValueError(f"{path!r} names no cell; expected MODEL/SELECTION/FILE")
    cell = _cell_of(parse_model(match["model"]), match["file"], path)
    _require_canonical(path, cell.path)
    return cell


def _cell_of(model: Model, below: str, path: str) -> Cell:
    """The cell of a model whose path goes on with ``below``; ``path`` is for the message."""
    selection_text, _, file = below.rpartition("/")
    if selection_text and selection_text not in list(Selection):
        raise ValueError(f"{path!r} names no cell; expected one of {_SELECTION} before the file")
    selection = Selection(selection_text) if selection_text else None
    if isinstance(model, Untrained | Dense) and file == "feature_distance.json":
        return FeatureDistance(model, selection)
    if selection is None or isinstance(model, Untrained):
        raise ValueError(f"{path!r} names no cell; expected one of {_SELECTION} before the file")
    if file == model.FILE and not isinstance(model, CandidateSet):
        return TrainingCell(model, selection)
    stem = file.removesuffix(".json")
    row = re.fullmatch(TransferRow.REGEX, stem)
    if row and isinstance(model, Dense | Ticket | CandidateSet):
        eps = float(row["attack_eps"]) if row["attack_eps"] else None
        return TransferRow(model, selection, row["targets"], row["attack"], eps)
    attack = re.fullmatch(Evaluation.REGEX, stem)
    if attack and file.endswith(".json"):
        eps = float(attack["attack_eps"]) if attack["attack_eps"] else None
        return Evaluation(model, selection, attack["attack"], eps)
    raise ValueError(
        f"{path!r} names no cell; expected a file such as '{model.FILE or 'pgd20-eps8.json'}', "
        "'pgd20-eps8.json' or 'transfer_to_tickets-pgd20-eps8.json'"
    )


def split_cell_path(path: str) -> tuple[str, Cell]:
    """Split a file's path into the cells' folder and the cell.

    The folder may have any depth; the cell is the shortest tail that parses.

    Raises:
        ValueError: if no tail names a cell.
    """
    parts = PurePosixPath(path).parts
    for depth in (5, 6):
        tail = "/".join(parts[-depth:])
        try:
            cell = parse_cell(tail)
        except ValueError:
            continue
        return str(PurePosixPath(*parts[:-depth])) if parts[:-depth] else ".", cell
    parse_cell("/".join(parts[-6:]))
    raise ValueError(f"{path!r} names no cell")


def anonymous(regex: str) -> str:
    """``regex`` with its named groups made anonymous, for use inside a larger pattern."""
    return re.sub(r"\(\?P<\w+>", "(?:", regex)

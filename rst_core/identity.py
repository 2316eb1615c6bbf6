"""Identities of networks, models and cells. An identity and its path are one thing.

Every identity formats to a path that reads like the sentence it stands for and parses
back from it: one ``FORM`` a class says both, and gives the patterns from which the workflow takes
its wildcard constraints. Paths are relative to the folder that holds all cells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import PurePosixPath
from typing import Any, ClassVar, get_args

from rst_core.forms import Formed, check_name, pattern, read, types_of
from rst_core.ranges import check_keep_ratio, require
from rst_core.vocabulary import Init, Origin, Pattern, ScoreInit, SearchMethod, Selection, Start


@dataclass(frozen=True)
class Network(Formed):
    """An architecture with random weights, determined by these four values and the data's head.

    Its folder is, for example, ``cifar10/resnet18/signed_kaiming_constant-seed0``.

    Attributes:
        dataset: name of the dataset, which fixes the number of classes.
        name: name of a network in the config.
        init: how the weights are drawn.
        seed: seed of weights, scores, batches and attacks.
    """

    FORM = "{dataset}/{name}/{init}-seed{seed}"

    dataset: str
    name: str
    init: Init
    seed: int

    def __post_init__(self) -> None:
        check_name("dataset", self.dataset)
        check_name("network", self.name)

    @cached_property
    def path(self) -> str:
        """Its folder."""
        return self.written()


@dataclass(frozen=True)
class Adversary(Formed):
    """The inner maximisation of Eq. 1: a search method and its eps in 1/255, as ``pgd7-eps8``."""

    FORM = "{method}-eps{eps}"

    method: SearchMethod
    eps: float


@dataclass(frozen=True)
class _InNetwork(Formed):
    """A model, whose folder is within its network's."""

    network: Network

    @cached_property
    def path(self) -> str:
        """The network's path with the folder."""
        return f"{self.network.path}/{self.written()}"


@dataclass(frozen=True)
class Untrained(_InNetwork):
    """A network as it was drawn: no mask, no training [5.2, Fig. 4]."""

    FORM = "untrained"


@dataclass(frozen=True)
class Dense(_InNetwork):
    """A network whose weights were trained, naturally (no adversary) or adversarially.

    Its folder is ``dense-natural``, or for example ``dense-adversarial-pgd7-eps8``.
    """

    FORM = "dense-[adversarial-{adversary}|natural]"
    FILE: ClassVar[str] = "weights.pt"

    adversary: Adversary | None


@dataclass(frozen=True)
class Ticket(_InNetwork):
    """A mask found by search: an RST on random weights, an RTT on the weights of a dense.

    Its folder is, for example, ``rst-keep0.2-element-pgd7-eps8``.

    Attributes:
        network: the network that is pruned.
        origin: whose frozen weights.
        keep_ratio: fraction of prunable weights that stay in every layer.
        pattern: granularity of the mask.
        adversary: inner maximisation of the search.
        pretrained_on: for a transferred RTT the dataset of its dense, else None.
        score_init: how the search drew a structured pattern's scores.
    """

    FORM = "{origin}[_from_{pretrained_on}]-keep{keep_ratio}-{pattern}[-{score_init}]-{adversary}"
    FILE: ClassVar[str] = "ticket.pt"

    origin: Origin
    keep_ratio: float
    pattern: Pattern
    adversary: Adversary
    pretrained_on: str | None = None
    score_init: ScoreInit = ScoreInit.RELEASED

    def __post_init__(self) -> None:
        check_keep_ratio(self.keep_ratio)
        without = self.without(self.origin, self.pattern)
        if "score_init" in without and self.score_init is not ScoreInit.RELEASED:
            raise ValueError(
                f"an element ticket has score_init {self.score_init}; allowed is "
                f"{ScoreInit.RELEASED}: its scores' fan is the weight's"
            )
        if ("pretrained_on" in without) != (self.pretrained_on is None):
            raise ValueError(
                f"a ticket of origin {self.origin} has pretrained_on={self.pretrained_on!r}; "
                "exactly the transferred RTTs name the dataset of their dense"
            )

    @staticmethod
    @cache
    def without(origin: Origin, pattern: Pattern) -> frozenset[str]:
        """The fields that tickets of this origin and pattern have at their default only."""
        found = set() if origin is Origin.RTT_TRANSFERRED else {"pretrained_on"}
        return frozenset(found | ({"score_init"} if pattern is Pattern.ELEMENT else set()))

    @property
    def dense(self) -> Dense | None:
        """The trained network whose weights are frozen under the mask; None for an RST."""
        if self.origin is Origin.RST:
            return None
        natural, dataset = self.origin is Origin.RTT_NATURAL, self.pretrained_on
        source = replace(self.network, dataset=dataset) if dataset else self.network
        return Dense(source, None if natural else self.adversary)


@dataclass(frozen=True)
class FineTuned(Formed):
    """A ticket whose surviving weights were adversarially trained under its fixed mask [5.1].

    Its folder is, for example, ``finetuned_inherited_rst-keep0.2-element-pgd7-eps8``.
    """

    FORM = "finetuned_{start}_{ticket}"
    FILE: ClassVar[str] = "weights.pt"

    ticket: Ticket
    start: Start

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
        """The network's path with the folder."""
        return f"{self.network.path}/{self.written()}"


@dataclass(frozen=True)
class CandidateSet(_InNetwork):
    """The tickets among which R2S switches: alike but for their keep ratio [6.2].

    In whatever order the keep ratios are given, they rise in ``keep_ratios`` and in the folder,
    for example ``r2s_rst-keep0.05+0.1-element-pgd7-eps8``.
    """

    FORM = "r2s_{origin}-keep{keep_ratios}-{pattern}-{adversary}"

    origin: Origin
    keep_ratios: tuple[float, ...]
    pattern: Pattern
    adversary: Adversary

    def __post_init__(self) -> None:
        # One set, one path.
        ratios = tuple(sorted(self.keep_ratios))
        object.__setattr__(self, "keep_ratios", ratios)
        once = len(set(ratios)) == len(ratios) > 1
        require(once, "keep_ratios", ratios, "two or more; each is allowed once")
        _ = self.tickets  # which refuse what tickets cannot have

    @property
    def tickets(self) -> tuple[Ticket, ...]:
        """The members, in the order of the keep ratios."""
        return tuple(
            Ticket(self.network, self.origin, keep_ratio, self.pattern, self.adversary)
            for keep_ratio in self.keep_ratios
        )


#: What is trained and stored in a file of its own.
Trained = Dense | Ticket | FineTuned
#: Everything that can be measured.
Model = Untrained | Trained | CandidateSet


@cache
def parse_model(path: str) -> Model:
    """The model whose path this is; ``ValueError`` unless it is written as the model's path is."""
    kind: Any
    for kind in get_args(Model):
        match = re.fullmatch(f"(?P<network>{pattern(Network)})/{pattern(kind)}", path)
        if match:
            model: Model = read(kind, match.groupdict())
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
class _Measured(Formed):
    """A JSON file of what was measured; only an untrained network has no selection."""

    model: Any
    selection: Selection | None

    @cached_property
    def path(self) -> str:
        """For example ``…/best_val/pgd20-eps8.json``."""
        folder = f"{self.model.path}/{self.selection}" if self.selection else self.model.path
        return f"{folder}/{self.written()}.json"


@dataclass(frozen=True)
class Evaluation(_Measured):
    """One attack on one model, or on a candidate set, over the whole test set.

    Attributes:
        attack: name of an attack in the config.
        eps: its size, in 1/255 (L-infinity) or on [0, 1] images (L2); None where it has none.
    """

    FORM = "{attack}[-eps{eps}]"
    EXCLUDE = "feature_distance"

    model: Dense | Ticket | FineTuned | CandidateSet
    selection: Selection
    attack: str
    eps: float | None


@dataclass(frozen=True)
class TransferRow(_Measured):
    """Adversarial images of one source, evaluated on every model of a named target group [6.1].

    The source may be a candidate set, attacked as a whole and evaluated on the tickets of sets.
    """

    FORM = "transfer_to_{targets}-{attack}[-eps{eps}]"

    model: Dense | Ticket | CandidateSet
    selection: Selection
    targets: str
    attack: str
    eps: float | None


@dataclass(frozen=True)
class FeatureDistance(_Measured):
    """Distance of the last convolution's features under noise, over a grid of eps [5.2, Fig. 4]."""

    FORM = "feature_distance"

    model: Untrained | Dense


Cell = TrainingCell | Evaluation | TransferRow | FeatureDistance


def parse_cell(path: str) -> Cell:
    """The cell whose path this is; ``ValueError`` unless it is written as the cell's path is."""
    selections = "|".join(Selection)
    found = re.fullmatch(rf"((?:[^/]+/){{3}}[^/]+)(?:/({selections}))?/([^/]+)", path)
    if found:
        model, selection = parse_model(found[1]), Selection(found[2]) if found[2] else None
        cell = _cell_of(model, selection, found[3])
        if cell is not None:
            _require_canonical(path, cell.path)
            return cell
    raise ValueError(
        f"{path!r} names no cell; expected MODEL/SELECTION/FILE, with one of {selections} and a "
        "file such as 'ticket.pt', 'pgd20-eps8.json' or 'transfer_to_tickets-pgd20-eps8.json'"
    )


def _cell_of(model: Model, selection: Selection | None, file: str) -> Cell | None:
    """The cell of a model whose file has this name; None if there is none."""
    if (selection is None) != isinstance(model, Untrained):
        return None
    if isinstance(model, Trained) and selection and file == model.FILE:
        return TrainingCell(model, selection)
    kind: Any
    for kind in (Evaluation, TransferRow, FeatureDistance):
        match = re.fullmatch(rf"{pattern(kind)}\.json", file)
        if match and isinstance(model, types_of(kind)["model"]):
            cell: Cell = read(kind, match.groupdict(), model=model, selection=selection)
            return cell
    return None


def split_cell_path(path: str) -> tuple[str, Cell]:
    """The folder of all cells and the cell in a file's path; ``ValueError`` if it names no cell."""
    parts = PurePosixPath(path).parts
    depth = 5 if parts[-2:-1] == (Untrained.FORM,) else 6
    return str(PurePosixPath(*parts[:-depth])), parse_cell("/".join(parts[-depth:]))

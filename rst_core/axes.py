"""The axes of the experiment matrix, each declared once: cells, config and tables derive theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import EnumType, StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, assert_never

from rst_core.forms import types_of
from rst_core.identity import (
    Adversary,
    CandidateSet,
    Cell,
    Dense,
    Evaluation,
    FineTuned,
    Model,
    Network,
    Ticket,
    TransferRow,
    Untrained,
)
from rst_core.vocabulary import Init, Origin, Pattern, SearchMethod, Start

#: The words for models in the config and in cells: trained as they are, tickets as they were
#: searched, fine-tuned tickets.
DENSES = ("dense_natural", "dense_adversarial")
SEARCHED = {origin.value: origin for origin in Origin}
FINETUNED = {f"finetuned_{start}": start for start in Start}
TICKETS = (*SEARCHED, *FINETUNED)
KINDS = ("untrained", *DENSES, *TICKETS)

if TYPE_CHECKING:
    ModelKind = str
else:  # what the config is checked against; mypy takes no literal that is made of other words
    ModelKind = Literal[KINDS]


@dataclass(frozen=True)
class Axis:
    """One axis of a model.

    Attributes:
        name: its column's, in cells and tables.
        of: the part of a model that has it; None for the word that says what the model is.
        field: the name that it has there.
        meaning: what a value says.
        key: under which an experiment of the config lists values.
        default: the paper's choice, of an axis of how models are drawn, searched and trained.
        about: what the config says of the key where its values do not say it.
        later: whether cells leave it out, instead of having None, for a model that has none;
            cells that are older than the axis lack it, and their models have the default.
    """

    name: str
    of: Any
    field: str
    meaning: str
    key: str = ""
    default: Any = None
    about: str | None = None
    later: bool = False

    @cached_property
    def type(self) -> Any:
        """What its values are: an enum, or ``str``, ``int`` or ``float``."""
        return types_of(self.of)[self.field] if self.of else str

    @property
    def words(self) -> tuple[str, ...]:
        """All of its values, where these are a closed vocabulary; else none."""
        return tuple(self.type) if isinstance(self.type, EnumType) else ()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value.value if isinstance(value, StrEnum) else value


#: In the order of their columns.
AXES = (
    Axis("dataset", Network, "dataset", "name of the evaluated model's dataset in the config"),
    Axis("network", Network, "name", "name of its network in the config"),
    Axis(
        "init",
        Network,
        "init",
        "how its weights were drawn",
        "inits",
        Init.SIGNED_KAIMING_CONSTANT,
    ),
    Axis("seed", Network, "seed", "its seed"),
    Axis(
        "model",
        None,
        "kind",
        "what it is: untrained, dense_natural, rst, rtt_natural, finetuned_inherited, …",
    ),
    Axis(
        "keep_ratio",
        Ticket,
        "keep_ratio",
        "fraction of every layer's weights that its ticket keeps",
        "keep_ratios",
    ),
    Axis(
        "candidates",
        CandidateSet,
        "keep_ratios",
        "keep ratios of the candidate set that was attacked, joined by +",
        "candidate_sets",
    ),
    Axis("pattern", Ticket, "pattern", "granularity of its mask", "patterns", Pattern.ELEMENT),
    Axis(
        "score_init",
        Ticket,
        "score_init",
        "how the search drew the scores of a structured pattern",
        "score_inits",
        Ticket.score_init,
        "how searches draw the initial scores of structured patterns",
        later=True,
    ),
    Axis(
        "method",
        Adversary,
        "method",
        "inner maximisation of its search or training",
        "methods",
        SearchMethod.PGD7,
    ),
    Axis("trained_eps", Adversary, "eps", "eps of that, in 1/255", "eps", 8.0),
    Axis("pretrained_on", Ticket, "pretrained_on", "dataset of the dense under a transferred RTT"),
)
#: A large matrix asks for these a hundred thousand times.
_BY_PART = {part: [a for a in AXES if a.of is part] for part in (Network, Adversary, Ticket)}
#: The names of those that a single model may have.
MODEL_COLUMNS = tuple(axis.name for axis in AXES if axis.of is not CandidateSet)
#: Those of how models are drawn, searched and trained, each with a default that is the paper's.
METHOD_AXES = tuple(axis for axis in AXES if axis.default is not None)
#: Their keys in an experiment.
METHOD_KEYS = tuple(axis.key for axis in METHOD_AXES)
#: The paper's choices by the names of axes, as :func:`model_axes` has them.
DEFAULTS: dict[str, Any] = {axis.name: _plain(axis.default) for axis in METHOD_AXES}


def model_kind(model: Model) -> str:
    """The word for a model in the config: dense_natural, rst, finetuned_inherited, …"""
    match model:
        case Untrained():
            return "untrained"
        case Dense():
            return DENSES[model.adversary is not None]
        case Ticket() | CandidateSet():
            return model.origin.value
        case FineTuned():
            return f"finetuned_{model.start}"
        case _:
            assert_never(model)


def model_axes(model: Model) -> dict[str, Any]:
    """The axes of a model, None where it has none; ``trained_eps`` is in 1/255."""
    ticket = model.ticket if isinstance(model, FineTuned) else model
    masked = ticket if isinstance(ticket, Ticket | CandidateSet) else None
    without = Ticket.without(masked.origin, masked.pattern) if masked else frozenset()
    parts: dict[Any, Any] = {
        Network: model.network,
        Adversary: None if isinstance(model, Untrained) else model.adversary,
        Ticket: masked,
        CandidateSet: masked if isinstance(masked, CandidateSet) else None,
    }
    found = {a.name: _plain(getattr(parts[a.of], a.field, None)) for a in AXES if a.of}
    found |= {"model": model_kind(model)} | {a.name: None for a in AXES if a.field in without}
    first = {a.name: found[a.name] for a in AXES if not a.later}
    return first | {a.name: found[a.name] for a in AXES if a.later and found[a.name] is not None}


def model_of(axes: Mapping[str, Any]) -> Model:
    """The model that has these axes: the inverse of :func:`model_axes`.

    Axes that its kind does not have are ignored. A fine-tuned ticket is an RST, as in the paper.

    Raises:
        ValueError: if there is no such model.
        TypeError: if an axis that it needs is not there.
    """
    kind, network = axes["model"], Network(**_fields(Network, axes))
    if kind == "untrained":
        return Untrained(network)
    if kind == "dense_natural":
        return Dense(network, None)
    adversary = Adversary(**_fields(Adversary, axes))
    if kind == "dense_adversarial":
        return Dense(network, adversary)
    origin = Origin.RST if kind in FINETUNED else Origin(kind)
    fields = _fields(Ticket, axes)
    if axes.get("candidates"):
        ratios = tuple(axes["candidates"])
        return CandidateSet(network, origin, ratios, fields["pattern"], adversary)
    without = Ticket.without(origin, fields["pattern"])
    own = {field: value for field, value in fields.items() if field not in without}
    ticket = Ticket(network=network, origin=origin, adversary=adversary, **own)
    return FineTuned(ticket, FINETUNED[kind]) if kind in FINETUNED else ticket


def _fields(part: Any, axes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a part of a model that these axes give."""
    given = ((axis, axes.get(axis.name)) for axis in _BY_PART[part])
    return {axis.field: axis.type(value) for axis, value in given if value is not None}


def owned(axes: Mapping[str, Any]) -> dict[str, Any]:
    """The axes of single models of a kind, None where it has none, with the values given here.

    Datasets and networks may be roles; the seed and the keep ratio may be left open.
    """
    given = {name: axes[name] for name in MODEL_COLUMNS if axes.get(name) is not None}
    has = model_axes(model_of({"seed": 0, "keep_ratio": 1.0, **given}))
    return {name: axes.get(name) if has.get(name) is not None else None for name in MODEL_COLUMNS}


def cell_axes(cell: Cell) -> dict[str, Any]:
    """The axes of a cell: those of its model, and how it is measured."""
    attacked = cell if isinstance(cell, Evaluation | TransferRow) else None
    return model_axes(cell.model) | {
        "selection": cell.selection.value if cell.selection else None,
        "attack": attacked.attack if attacked else None,
        "attack_eps": attacked.eps if attacked else None,
        "targets": cell.targets if isinstance(cell, TransferRow) else None,
    }

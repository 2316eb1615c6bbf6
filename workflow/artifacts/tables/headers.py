"""What tables call their rows and columns, and in which order they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rst_core.axes import FINETUNED, METHOD_AXES, SEARCHED
from rst_core.vocabulary import Norm
from workflow.artifacts import style
from workflow.artifacts.numbers.summary import network_label, short_label
from workflow.artifacts.tables.keys import ColumnKey, RowKey
from workflow.matrix import Matrix


def _heading(kind: str) -> str:
    label = style.look(kind).label
    return label[0].upper() + label[1:]


#: What the paper calls models; also their order. Rows without a model of ours stand first.
MODELS = {
    "adversarial_lottery_ticket": "Adversarial lottery ticket [59]",
    "dense_natural": "Dense, naturally trained",
    "dense": "Dense",
    **{kind: _heading(kind) for kind in ("rst", *FINETUNED, *SEARCHED)},
    "r2s": "R2S",
    "rtt_adversarial_r2s": "R2S on adversarial RTTs",
}
_COUNTS = {
    "parameters_m": "# Parameter (M)",
    "network_parameters_m": "# of Network (M)",
    "sparsity_percent": "Sparsity (%)",
}
#: The paper's networks by their roles.
_PAPER_NETWORKS = {
    "resnet18": "ResNet18",
    "imagenet_resnet18": "ImageNet's ResNet18",
    "resnet50": "ResNet50",
    "resnet101": "ResNet101",
}
#: The text of each header where it stands over the rows' labels.
TITLES = {
    "network": "Network",
    "series": "Network",
    "model": "Model",
    "variant": "Model",
    "ratio": "Remaining\nRatio",
    "percent": "Remaining\nRatio (%)",
    "candidates": "Candidate Set",
    "method": "Method",
    "trained_eps": "ε",
    "dataset": "Dataset",
    "attack": "Attack",
    "eps": "ε",
    "measure": "Measure",
    "accuracy": "Measure",
}

#: What stands under a header, and what that is ordered by.
Label = tuple[str, Any]


def percent(keep_ratio: float) -> str:
    """A keep ratio as the paper writes it: ``5%``."""
    return f"{100 * keep_ratio:g}%"


def percents(keep_ratios: tuple[float, ...]) -> str:
    """A candidate set as the paper writes it: ``5%, 7%, 10%``."""
    return ", ".join(map(percent, keep_ratios))


def _position(value: Any, order: list[Any]) -> int:
    return order.index(value) if value in order else len(order)


@dataclass(frozen=True)
class Labels:
    """What stands under each header of :data:`TITLES` for one number; a method a header.

    ``attacks`` are the names of all of the table's, in the paper's order; ``networks`` are roles.
    """

    row: RowKey
    column: ColumnKey
    matrix: Matrix
    attacks: tuple[str, ...]
    networks: frozenset[str]

    def under(self, headers: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
        """Labels and ranks under several headers."""
        found: list[Label] = [getattr(self, name)() for name in headers]
        return tuple(label for label, _ in found), tuple(rank for _, rank in found)

    def network(self) -> Label:
        """One network may play several roles of a table; then the label says which."""
        role, plays = self.row.network, self.matrix.config.roles.networks
        label = network_label(self.matrix, role)
        if sum(plays[other] == plays[role] for other in self.networks) != 1:
            label = f"{label} (as {_PAPER_NETWORKS.get(role, role)})"
        return label, _position(role, list(plays))

    def series(self) -> Label:
        """A model on its network."""
        label, rank = self.network()
        dense = self.row.model == "dense"
        return f"{label} (Dense)" if dense else f"{self._model} @ {label}", (rank, self._model_rank)

    def model(self) -> Label:
        """A model with its keep ratios."""
        ratios = f"@{percents(self.row.keep_ratios)}" if self.row.keep_ratios else ""
        return self._model + ratios, (self._model_rank, self.row.keep_ratios, self.row.variants)

    def variant(self) -> Label:
        """A model with what differs from the paper's defaults."""
        order = [word for axis in METHOD_AXES for word in axis.words]
        shown: list[str] = [self._model]
        rank: list[tuple[float, float]] = []
        for variant in self.row.variants:
            eps = variant.removeprefix("eps")
            named = eps == variant
            shown.append(style.look(variant).label if named else f"ε = {eps}/255")
            rank.append((0.0, float(_position(variant, order))) if named else (1.0, float(eps)))
        return ", ".join(shown), (self._model_rank, tuple(rank))

    def trained_eps(self) -> Label:
        """Of search and training, where the row's key names it."""
        label = ", ".join(f"{v.removeprefix('eps')}/255" for v in self.row.variants) or "–"
        return label, self.variant()[1][1]

    def ratio(self) -> Label:
        """A keep ratio as a fraction."""
        ratios = self.row.keep_ratios
        return f"{ratios[0]:g}" if ratios else "–", ratios

    def percent(self) -> Label:
        """A keep ratio in percent."""
        return percents(self.row.keep_ratios) or "100%", self.row.keep_ratios

    def candidates(self) -> Label:
        """A candidate set, or the model beside it."""
        return percents(self.row.keep_ratios) or self._model, self.row.keep_ratios

    def method(self) -> Label:
        """A model under an attack."""
        rank = self.model()[1], self.measure()[1]
        return f"{self._model}@{self.attack()[0]}", rank

    def dataset(self) -> Label:
        """Nothing for a count, which stands first."""
        role = self.column.dataset
        if role is None:
            return "", -1
        order = list(self.matrix.config.roles.datasets)
        return short_label(self.matrix, role), _position(role, order)

    def attack(self) -> Label:
        """An attack; the experiments' own is PGD-20."""
        return self._attack, self.measure()[1]

    def eps(self) -> Label:
        """The size of an attack: of L2 as it stands, of L-infinity in 1/255."""
        eps, entry = self.column.eps, self.matrix.config.attacks.get(self.column.measure)
        if eps is None:
            return "–", 0.0
        return f"ε = {eps:g}" + ("" if entry and entry.norm is Norm.L2 else "/255"), eps

    def measure(self) -> Label:
        """A count, natural accuracy, or accuracy under an attack."""
        measure = self.column.measure
        rank = _position(measure, [*_COUNTS, "natural", "robust", *self.attacks])
        if measure in _COUNTS:
            return _COUNTS[measure], rank
        if measure == "natural":
            return "Natural Acc (%)", rank
        return f"{self._attack} Acc (%)", rank

    def accuracy(self) -> Label:
        """As :meth:`measure`, without the name of the attack."""
        label, rank = self.measure()
        last = len(_COUNTS) + 1
        return label if rank < last else "Robust Acc (%)", min(rank, last)

    @property
    def _attack(self) -> str:
        entry = self.matrix.config.attacks.get(self.column.measure)
        return entry.label if entry else "PGD-20"

    @property
    def _model(self) -> str:
        return MODELS.get(self.row.model, self.row.model)

    @property
    def _model_rank(self) -> int:
        return _position(self.row.model, list(MODELS))

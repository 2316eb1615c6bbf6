"""What tables call their rows and columns, and in which order they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rst_core.vocabulary import Pattern, SearchMethod
from workflow.artifacts.keys import ColumnKey, RowKey
from workflow.artifacts.summary import network_label, short_label
from workflow.matrix import Matrix

#: What the paper calls models; also their order. Rows without a model of ours stand first.
MODELS = {
    "adversarial_lottery_ticket": "Adversarial lottery ticket [59]",
    "dense_natural": "Dense, naturally trained",
    "dense": "Dense",
    "rst": "RST",
    "finetuned_inherited": "Fine-tuned RST, inherited",
    "finetuned_reinitialised": "Fine-tuned RST, re-initialised",
    "rtt_natural": "Natural RTT",
    "rtt_adversarial": "Adversarial RTT",
    "rtt_transferred": "Transferred RTT",
    "r2s": "R2S",
    "rtt_adversarial_r2s": "R2S on adversarial RTTs",
}
_COUNTS = {
    "parameters_m": "# Parameter (M)",
    "network_parameters_m": "# of Network (M)",
    "sparsity_percent": "Sparsity (%)",
}
_VARIANTS = {"fgsm": "FGSM", "fgsm_rs": "FGSM-RS", "pgd7": "PGD-7"}


@dataclass(frozen=True)
class Context:
    """What labels depend on besides the keys.

    Attributes:
        matrix: the config's.
        attacks: names of a table's attacks, in the paper's order.
        networks: roles of a table's networks.
    """

    matrix: Matrix
    attacks: tuple[str, ...]
    networks: frozenset[str]


@dataclass(frozen=True)
class Head:
    """One level of heads: its own head (for the stub), a key's label, and its rank."""

    title: str
    label: Callable[[RowKey, ColumnKey, Context], str]
    rank: Callable[[RowKey, ColumnKey, Context], Any]


def percent(keep_ratio: float) -> str:
    """A keep ratio as the paper writes it: ``5%``."""
    return f"{100 * keep_ratio:g}%"


def percents(keep_ratios: tuple[float, ...]) -> str:
    """A candidate set as the paper writes it: ``5%, 7%, 10%``."""
    return ", ".join(map(percent, keep_ratios))


def _position(value: Any, order: list[Any]) -> int:
    return order.index(value) if value in order else len(order)


def _by_model(row: RowKey, column: ColumnKey, context: Context) -> Any:
    return _position(row.model, list(MODELS)), row.keep_ratios, row.variants


def _by_network(row: RowKey, column: ColumnKey, context: Context) -> Any:
    return _position(row.network, list(context.matrix.config.roles.networks))


def _by_dataset(row: RowKey, column: ColumnKey, context: Context) -> Any:
    if column.dataset is None:
        return -1
    return _position(column.dataset, list(context.matrix.config.roles.datasets))


def _by_measure(row: RowKey, column: ColumnKey, context: Context) -> Any:
    order = [*_COUNTS, "natural", "robust", *context.attacks]
    return _position(column.measure, order)


def _by_eps(row: RowKey, column: ColumnKey, context: Context) -> Any:
    return column.eps or 0.0


def _by_ratio(row: RowKey, column: ColumnKey, context: Context) -> Any:
    return row.keep_ratios


def _by_variant(row: RowKey, column: ColumnKey, context: Context) -> Any:
    order = [*Pattern, *SearchMethod]
    return tuple(
        (1.0, float(v.removeprefix("eps"))) if v.startswith("eps") else (0.0, _position(v, order))
        for v in row.variants
    )


def _network(row: RowKey, column: ColumnKey, context: Context) -> str:
    """One network may play several roles of a table; then the label says which."""
    label, plays = network_label(context.matrix, row.network), context.matrix.config.roles.networks
    roles = [role for role in context.networks if plays[role] == plays[row.network]]
    return label if len(roles) == 1 else f"{label} (as {row.network})"


def _word(row: RowKey) -> str:
    return MODELS.get(row.model, row.model)


def _model(row: RowKey, column: ColumnKey, context: Context) -> str:
    ratios = f"@{percents(row.keep_ratios)}" if row.keep_ratios else ""
    return _word(row) + ratios


def _series(row: RowKey, column: ColumnKey, context: Context) -> str:
    label = _network(row, column, context)
    return f"{label} (Dense)" if row.model == "dense" else f"{_word(row)} @ {label}"


def _variant(row: RowKey, column: ColumnKey, context: Context) -> str:
    shown = [
        f"ε = {v.removeprefix('eps')}" if v.startswith("eps") else _VARIANTS.get(v, v)
        for v in row.variants
    ]
    return ", ".join([_word(row), *shown])


def _attack_label(column: ColumnKey, context: Context) -> str:
    entry = context.matrix.config.attacks.get(column.measure)
    return entry.label if entry else "PGD-20"


def _measure(row: RowKey, column: ColumnKey, context: Context) -> str:
    if column.measure in _COUNTS:
        return _COUNTS[column.measure]
    if column.measure == "natural":
        return "Natural Acc (%)"
    return f"{_attack_label(column, context)} Acc (%)"


def _accuracy(row: RowKey, column: ColumnKey, context: Context) -> str:
    own = column.measure in _COUNTS or column.measure == "natural"
    return _measure(row, column, context) if own else "Robust Acc (%)"


def _method(row: RowKey, column: ColumnKey, context: Context) -> str:
    return f"{_word(row)}@{_attack_label(column, context)}"


def _dataset(row: RowKey, column: ColumnKey, context: Context) -> str:
    return short_label(context.matrix, column.dataset) if column.dataset else ""


def _eps(row: RowKey, column: ColumnKey, context: Context) -> str:
    return "–" if column.eps is None else f"ε = {column.eps:g}"


def _trained_eps(row: RowKey, column: ColumnKey, context: Context) -> str:
    return ", ".join(v.removeprefix("eps") for v in row.variants) or "–"


HEADS = {
    "network": Head("Network", _network, _by_network),
    "series": Head("Network", _series, lambda *k: (_by_network(*k), _by_model(*k)[0])),
    "model": Head("Model", _model, _by_model),
    "variant": Head("Model", _variant, lambda *k: (_by_model(*k)[0], _by_variant(*k))),
    "ratio": Head(
        "Remaining\nRatio", lambda r, c, x: f"{r.keep_ratios[0]:g}" if r.keep_ratios else "–",
        _by_ratio,
    ),
    "percent": Head(
        "Remaining\nRatio (%)", lambda r, c, x: percents(r.keep_ratios) or "100%", _by_ratio
    ),
    "candidates": Head(
        "Candidate Set", lambda r, c, x: percents(r.keep_ratios) or _word(r), _by_ratio
    ),
    "method": Head("Method", _method, lambda *k: (_by_model(*k), _by_measure(*k))),
    "trained_eps": Head("ε", _trained_eps, _by_variant),
    "dataset": Head("Dataset", _dataset, _by_dataset),
    "attack": Head("Attack", lambda r, c, x: _attack_label(c, x), _by_measure),
    "eps": Head("ε", _eps, _by_eps),
    "measure": Head("Measure", _measure, _by_measure),
    "accuracy": Head("Measure", _accuracy, lambda *k: min(_by_measure(*k), len(_COUNTS) + 1)),
}  # fmt: skip

"""A cell in a few words, where its path has no room: in squeue, and in lines of progress."""

from __future__ import annotations

from rst_core.axes import AXES, DEFAULTS, cell_axes
from rst_core.forms import format_number
from rst_core.identity import Cell

#: What is measured comes first, as it tells cells of one model apart, and what most share last.
_FIRST, _LAST = ("attack", "attack_eps", "targets", "model"), ("dataset", "network", "seed")
_ORDER = dict.fromkeys((*_FIRST, *(a.name for a in AXES if a.name not in _LAST), *_LAST))
_PREFIXES = {
    "attack_eps": "eps", "targets": "to_", "trained_eps": "eps", "pretrained_on": "from_",
    "seed": "s",
}  # fmt: skip


def short_name(cell: Cell) -> str:
    """The cell's axes but for the paper's defaults: ``pgd20 eps8 rst 0.2 cifar10 resnet18 s0``."""
    axes = cell_axes(cell)
    shown = [a for a in _ORDER if axes.get(a) is not None and axes[a] != DEFAULTS.get(a)]
    return " ".join(f"{_PREFIXES.get(axis, '')}{value_text(axes[axis])}" for axis in shown)


def value_text(value: object) -> str:
    """An axis's value as paths write it: 8 and 0.05, a set's keep ratios with + between them."""
    if isinstance(value, list):
        return "+".join(map(value_text, value))
    return format_number(value) if isinstance(value, float) else str(value)

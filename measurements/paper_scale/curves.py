"""Accuracies on validation images over epochs, from the training history of every model."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

from rst_core.spec import Dense, Ticket, parse_model
from workflow.artifacts.frame import model_kind

_MEASURES = (
    ("natural", "natural accuracy, %"),
    ("robust", "PGD-{steps} accuracy, %"),
)


def label(model: str) -> str:
    """A model's name in a legend, from its path."""
    found = parse_model(model)
    kind = model_kind(found).replace("_", " ")
    if isinstance(found, Ticket):
        kind = kind.replace("rst", "RST").replace("rtt", "RTT")
        return f"{kind}, {found.keep_ratio:g}"
    assert isinstance(found, Dense)
    return kind


def histories(cells: Path) -> dict[str, list[dict[str, Any]]]:
    """Lines of ``metrics.jsonl`` by model's path, denses first.

    Args:
        cells: folder of all cells of one dataset, named like it.
    """
    found = {}
    for path in sorted(cells.rglob("metrics.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines()
        model = path.parent.relative_to(cells.parent).as_posix()
        found[model] = [json.loads(line) for line in lines]
    return dict(sorted(found.items(), key=lambda item: not label(item[0]).startswith("dense")))


def draw(cells: Path, picture: Path, *, remark: str, steps: int) -> None:
    """A panel a measure, a line a model; dotted lines where the learning rate decays.

    Args:
        cells: folder of all cells of one dataset.
        picture: PNG to write.
        remark: which images these are, for the footnote.
        steps: of the PGD on validation images.

    Raises:
        FileNotFoundError: if no model has a history.
    """
    import matplotlib.pyplot as plt

    from workflow.artifacts import style

    found = histories(cells)
    if not found:
        raise FileNotFoundError(f"{cells} holds no metrics.jsonl; nothing has been trained yet")
    style.begin()
    figure, axes = plt.subplots(1, 2, figsize=(style.TEXT_WIDTH, 2.4), layout="constrained")
    for ax, (measure, title) in zip(axes, _MEASURES, strict=True):
        for model, lines in found.items():
            key = f"validation_{measure}"
            points = [(line["epoch"], line[key]) for line in lines if key in line]
            if points:
                ax.plot(*zip(*points, strict=True), label=label(model))
        _decays(ax, found)
        ax.set(xlabel="epoch", ylabel=title.format(steps=steps))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False)
    style.footnote(figure, remark)
    style.save(figure, picture)


def _decays(ax: Axes, found: dict[str, list[dict[str, Any]]]) -> None:
    lines = max(found.values(), key=len)
    for before, after in pairwise(lines):
        if after["lr"] < before["lr"]:
            ax.axvline(before["epoch"] + 0.5, color="0.6", linewidth=0.6, linestyle=":")

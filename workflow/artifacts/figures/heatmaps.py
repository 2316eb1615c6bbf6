"""Heatmaps: adversarial transferability between tickets of different keep ratios [6.1, E, G]."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Rectangle
from matplotlib.patheffects import Normal, Stroke

from workflow.artifacts import style
from workflow.artifacts.figures.panel_grid import footed, letter_title
from workflow.artifacts.figures.panels import Panel, PanelFigure
from workflow.artifacts.numbers.models import ATTACK
from workflow.artifacts.numbers.outcomes import transferred_damage
from workflow.artifacts.numbers.selection import (
    NATURAL,
    Measure,
    Number,
    evaluated,
    tidy,
    transferred,
)
from workflow.artifacts.numbers.summary import paper_values, stands_in
from workflow.matrix import Matrix


def build(figure: PanelFigure, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
    """One row for each attacked ticket and each defending ticket; the attacked one is the row.

    After these each defending ticket's natural accuracy, in the row ``natural``.
    """
    numbers: list[Number] = []
    letters: list[str] = []
    for panel in figure.panels:
        for planned in panel.planned(matrix):
            for attacker, defender in product(planned.keep_ratios, repeat=2):
                source, target = (
                    planned.models(panel.dataset, k, matrix) for k in (attacker, defender)
                )
                selector = transferred(source, target, Measure(panel.attack, planned.series.eps))
                row = f"{_prefix(panel)}{attacker:g}"
                numbers.append(Number(row, f"{defender:g}", selector))
            for defender in planned.keep_ratios:
                clean = evaluated(planned.models(panel.dataset, defender, matrix), NATURAL)
                numbers.append(Number(f"{_prefix(panel)}natural", f"{defender:g}", clean))
            letters += [panel.letter] * (len(numbers) - len(letters))
    data = tidy(figure.name, numbers, cells, matrix)
    data.insert(1, "panel", letters)
    return data


def _prefix(panel: Panel) -> str:
    """What tells rows of several panels apart."""
    attack = "" if panel.attack == ATTACK else f"{panel.attack}/"
    return f"{panel.dataset}/{panel.networks[0]}/{attack}" if panel.letter else ""


@dataclass(frozen=True)
class _Map:
    """A matrix to draw: rows made against, columns evaluated on; ``absent`` fills empty rows.

    ``natural`` are the accuracies of its columns without an attack, empty where they are unknown.
    """

    title: str
    values: pd.DataFrame
    natural: pd.Series[float]
    scale: tuple[float, float]
    absent: str


def draw(figure: PanelFigure, data: pd.DataFrame, matrix: Matrix, remark: str = "") -> Figure:
    """Our matrices, and the paper's beside ours where it survives in the text."""
    style.begin()
    compared = len({panel.attack for panel in figure.panels}) > 1
    titles = {panel: letter_title(panel, matrix, attack=compared) for panel in figure.panels}
    maps = [
        m for p in figure.panels for m in _maps(figure.name, p, titles[p], p.rows(data), matrix)
    ]
    if len({(panel.dataset, *panel.networks) for panel in figure.panels}) < len(figure.panels):
        # The same tickets in each: one scale, so that a shade is a number.
        both = _scale(*(one.values for one in maps))
        maps = [replace(one, scale=both) for one in maps]
    across = min(2, len(maps))
    down = -(-len(maps) // across)
    size = (style.TEXT_WIDTH, 3.3 * down + 0.6)
    spaces = ConstrainedLayoutEngine(h_pad=0.08, compress=across == 1)
    picture, axes = plt.subplots(down, across, figsize=size, layout=spaces, squeeze=False)
    for ax, drawn in zip(axes.flat, maps, strict=False):
        ax.set_title(drawn.title)
        if len(drawn.values):
            _heatmap(ax, drawn)
        else:
            style.absent(ax, "not in this matrix")
    for ax in axes.flat[len(maps) :]:
        ax.remove()
    notes = [remark, _reading(figure, matrix), *_transferred(figure, maps), *_without(figure, maps)]
    return footed(picture, notes, figure, data, matrix)


def _reading(figure: PanelFigure, matrix: Matrix) -> str:
    """How the numbers are to be read."""
    attacks = {panel.attack for panel in figure.panels}
    shown = [f"ε = {eps:g}/255" for eps in dict.fromkeys(panel.eps for panel in figure.panels)]
    if len(attacks) == 1:  # titles name several
        shown.insert(0, matrix.config.attacks[attacks.pop()].label)
    return (
        "each number: robust accuracy (%) of the column's ticket on adversarial images of the "
        f"row's ticket ({', '.join(shown)}); outlined: the white-box attack"
    )


def _transferred(figure: PanelFigure, maps: list[_Map]) -> list[str]:
    """How much of the white-box attack's damage transfers, of each panel of ours."""
    found = []
    for panel, drawn in zip(figure.panels, maps[:: len(maps) // len(figure.panels)], strict=True):
        if damage := transferred_damage(drawn.values.to_numpy(), drawn.natural.to_numpy()):
            found.append(f"{damage} in ({panel.letter})" if panel.letter else damage)
    if not found:
        return []
    return [f"images of another ticket do {', '.join(found)} of the damage that its own do to it"]


def _without(figure: PanelFigure, maps: list[_Map]) -> list[str]:
    """The paper's ratios that ours lack, where both stand side by side."""
    if len(maps) != 2 * len(figure.panels) or not len(maps[0].values):
        return []
    lacking = [_percent(k) for k in _ratios(maps[1]) if k not in _ratios(maps[0])]
    return [f"not in this matrix: ratios of {', '.join(lacking)} %"] if lacking else []


def _ratios(drawn: _Map) -> list[float]:
    return [float(ratio) for ratio in drawn.values.columns]


def _percent(ratio: float) -> str:
    return f"{100 * ratio:g}"


def _maps(name: str, panel: Panel, title: str, rows: pd.DataFrame, matrix: Matrix) -> list[_Map]:
    clean = rows["measure"] == "natural"
    natural = rows[clean].set_index("keep_ratio")["mean"].astype(float)
    ours = rows[~clean].pivot(index="attack_keep_ratio", columns="keep_ratio", values="mean")
    ours = ours.astype(float)
    published = _published(name, panel)
    if not len(published):
        return [_Map(title, ours, natural, _scale(ours), "no cells yet")]
    # One scale for both, so that a shade is a number; unless they are about different data.
    apart = stands_in(matrix, panel.dataset)
    both = _scale(ours, published)
    entry = matrix.config.datasets[matrix.config.roles.datasets[panel.dataset]]
    paper = f"the paper's, on {entry.stand_in_for or entry.label}"
    unknown = pd.Series(np.nan, index=published.columns)
    lost = "missing in our copy of the paper"
    return [
        _Map(title, ours, natural, _scale(ours) if apart else both, "no cells yet"),
        _Map(paper, published, unknown, _scale(published) if apart else both, lost),
    ]


def _published(name: str, panel: Panel) -> pd.DataFrame:
    """The paper's matrix of a panel; a row that is lost in the text stays empty."""
    prefix = _prefix(panel)
    known = paper_values(name)
    values = {(r.removeprefix(prefix), c): v for (r, c), v in known.items() if r.startswith(prefix)}
    ratios = sorted({float(column) for _, column in values})
    matrix = [[values.get((f"{r:g}", f"{c:g}"), np.nan) for c in ratios] for r in ratios]
    return pd.DataFrame(matrix, index=ratios, columns=ratios)


def _scale(*matrices: pd.DataFrame) -> tuple[float, float]:
    """Ends of the colour map: the smallest and largest number of all matrices together."""
    values = np.concatenate([m.to_numpy(dtype=float).ravel() for m in matrices])
    values = values[~np.isnan(values)]
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 100.0)


def _heatmap(ax: Axes, drawn: _Map) -> None:
    """An annotated matrix with its diagonal outlined."""
    size = len(drawn.values)
    sns.heatmap(
        drawn.values, ax=ax, annot=True, fmt=".1f", cmap="cividis", square=True, cbar=False,
        annot_kws={"size": style.SMALL}, linewidths=0.4,
        vmin=drawn.scale[0], vmax=drawn.scale[1],
    )  # fmt: skip
    middle = sum(drawn.scale) / 2
    for text in ax.texts:
        # seaborn writes white up to where cividis is a light brown.
        text.set_color("white" if float(text.get_text()) < middle else "0.15")
    for i in range(size):
        if not drawn.values.iloc[i].isna().all():
            edge = Rectangle(
                (i, i), 1, 1, fill=False, edgecolor="black", lw=1.2, zorder=3, clip_on=False
            )
            edge.set_path_effects([Stroke(linewidth=2.8, foreground="white"), Normal()])
            ax.add_patch(edge)
        else:
            ax.text(
                size / 2, i + 0.5, drawn.absent, ha="center", va="center", color="0.4",
                fontsize=style.SMALL, style="italic",
            )  # fmt: skip
    ticks = [_percent(ratio) for ratio in _ratios(drawn)]
    ax.set_xticks(np.arange(size) + 0.5, ticks)
    ax.set_yticks([*np.arange(size) + 0.5, size + _GAP + 0.5], [*ticks, "none"])
    _natural_row(ax, drawn)
    ax.set_xlabel("evaluated on the ticket of ratio (%)")
    ax.set_ylabel("made against the ticket of ratio (%)")
    ax.set_facecolor("0.92")
    ax.grid(False)
    ax.tick_params(rotation=0)


#: Between a matrix and the row of natural accuracies, in rows.
_GAP = 0.15


def _natural_row(ax: Axes, drawn: _Map) -> None:
    """Numbers without colours, as no attack is among what the colours compare."""
    size = len(drawn.values)
    ax.set_ylim(size + _GAP + 1, 0)
    ax.axhline(size + _GAP / 2, color="white", lw=4)
    y = size + _GAP + 0.5
    look: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": style.SMALL}
    if drawn.natural.isna().all():
        ax.text(size / 2, y, "unknown", color="0.4", style="italic", **look)
        return
    for i, value in enumerate(drawn.natural):
        if not np.isnan(value):
            ax.text(i + 0.5, y, f"{value:.1f}", **look)

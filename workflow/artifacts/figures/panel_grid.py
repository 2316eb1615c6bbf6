"""Where panels, legends and remarks stand in a figure of several panels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D

from rst_core.axes import DEFAULTS
from workflow.artifacts import style
from workflow.artifacts.figures.panels import Panel, PanelFigure
from workflow.artifacts.numbers.summary import network_label, remarks, short_label
from workflow.artifacts.numbers.suspicion import FOOTNOTES, carried_flags
from workflow.matrix import Matrix

#: Panels side by side, with the width and height of each, in inches.
_SIZES = {1: (3.2, 1.9), 2: (2.6, 1.6), 3: (1.83, 1.3), 4: (style.TEXT_WIDTH / 4, 1.15)}
#: Letters that fit above the narrowest panel.
NARROW = 22
#: Height of a line of the smallest letters, in inches.
_LINE = 1.3 * style.SMALL / 72


@dataclass(frozen=True)
class Slot:
    """A position in the grid: a panel, or its enlargement."""

    panel: Panel
    zoomed: bool = False


@dataclass(frozen=True)
class Strip:
    """A legend under the panels that share it: columns ``start`` to ``stop`` of a row."""

    start: int
    stop: int
    entries: dict[str, Line2D]  # by their labels
    across: int  # as many entries side by side as fit
    height: float  # in inches


def lay_out(
    slots: list[Slot], handles: Mapping[Panel, list[Line2D]], titles: Mapping[Panel, str]
) -> tuple[Figure, dict[Slot, Axes]]:
    """A figure with axes for all slots, titled, and each legend once under those that share it."""
    down = -(-len(slots) // 4)
    across = -(-len(slots) // down)
    if down > 1 and slots[1].zoomed:
        across += across % 2  # an enlargement stays beside its panel
    width, height = _SIZES[across]
    rows = [slots[i : i + across] for i in range(0, len(slots), across)]
    strips = [_strips(row, handles, width) for row in rows]
    for i in range(len(rows) - 1):
        if [[*one.entries] for one in strips[i]] == [[*one.entries] for one in strips[i + 1]]:
            strips[i] = []
    title_lines = max(title.count("\n") + 1 for title in titles.values())
    heights = []
    for found in strips:
        heights += [height, max((s.height for s in found), default=0.001)]
    around = (title_lines + 2.8) * _LINE * len(rows) + 3 * _LINE
    spaces = ConstrainedLayoutEngine(h_pad=0.02, w_pad=0.02, hspace=0, wspace=0.03)
    picture = plt.figure(figsize=(width * across, sum(heights) + around), layout=spaces)
    grid = picture.add_gridspec(2 * len(rows), across, height_ratios=heights)
    axes = {}
    for i, row in enumerate(rows):
        for j, slot in enumerate(row):
            axes[slot] = ax = picture.add_subplot(grid[2 * i, j])
            ax.set_title(f"({slot.panel.letter}) enlarged" if slot.zoomed else titles[slot.panel])
        for strip in strips[i]:
            below = picture.add_subplot(grid[2 * i + 1, strip.start : strip.stop])
            below.axis("off")
            legend = below.legend(
                handles=[*strip.entries.values()], loc="upper center", ncols=strip.across,
                frameon=False, borderpad=0, borderaxespad=0, labelspacing=0.25,
                columnspacing=1.0, handlelength=1.6, handletextpad=0.5,
            )  # fmt: skip
            legend.set_in_layout(False)  # its strip has the room; axes stay as wide as they are
    return picture, axes


def _strips(row: list[Slot], handles: Mapping[Panel, list[Line2D]], width: float) -> list[Strip]:
    """Neighbours with the same series share a legend."""

    def series(slot: Slot) -> tuple[object, ...]:
        # The paper's own points are in some panels only; they do not make another legend.
        return tuple((s.name, s.network) for s in slot.panel.series)

    found, start = [], 0
    for _, group in groupby(row, key=series):
        members = list(group)
        entries = {str(h.get_label()): h for slot in members for h in handles[slot.panel]}
        wide = 0.38 + 0.5 * style.SMALL / 72 * max(map(len, entries))
        across = max(1, min(len(entries), int(width * len(members) / wide)))
        height = (-(-len(entries) // across) + 0.3) * _LINE
        stop = start + len(members)
        found.append(Strip(start, stop, entries, across, height))
        start = stop
    return found


def letter_title(panel: Panel, matrix: Matrix, letters: int = 100, *, attack: bool = False) -> str:
    """As the paper titles its sub-figures, ``(a) ResNet18 @ CIFAR-10``, in lines of ``letters``.

    ``attack``: name it; of the paper's figures all have the same.
    """
    title = short_label(matrix, panel.dataset)
    if len(panel.networks) == 1:
        title = f"{network_label(matrix, panel.networks[0])} @ {title}"
    eps = "" if panel.eps == DEFAULTS["trained_eps"] else f"ε = {panel.eps:g}/255\n"
    label = f"{matrix.config.attacks[panel.attack].label}\n" if attack else ""
    letter = f"({panel.letter}) " if panel.letter else ""
    title = f"{letter}{eps}{label}{title}"
    if max(map(len, title.splitlines())) > letters:
        title = title.replace(" @ ", "\n@ ")
    return title


def footed(
    picture: Figure, notes: list[str], figure: PanelFigure, data: pd.DataFrame, matrix: Matrix
) -> Figure:
    """Add the line under a figure: what is shown how, what is missing, the protocol."""
    roles = list(dict.fromkeys(panel.dataset for panel in figure.panels))
    parts = [*notes, *_other_methods(figure, matrix), *incomplete(data, matrix)]
    parts.append(remarks(matrix, roles))
    style.footnote(picture, "; ".join(filter(None, parts)))
    return picture


def _other_methods(figure: PanelFigure, matrix: Matrix) -> list[str]:
    """With what the models are searched and trained where it is not the paper's PGD-7 [4.1]."""
    series = (s for panel in figure.panels for s in (*panel.series, *panel.dense))
    methods = {s.searched(matrix) for s in series if s.method is None} - {DEFAULTS["method"]}
    return [f"searched and trained with {style.look(method).label}" for method in sorted(methods)]


def bands(data: pd.DataFrame) -> list[str]:
    """What the bands around curves are, if there are any."""
    return ["bands: one deviation over seeds"] if data["spread"].notna().any() else []


def incomplete(data: pd.DataFrame, matrix: Matrix) -> list[str]:
    """What is still to be measured, and what a reader should doubt, if anything."""
    missing = data[data["mean"].isna()]
    fewer = int(data["seeds"].between(1, len(matrix.config.seeds) - 1).sum())
    flagged = int(data["flags"].fillna("").ne("").sum())
    codes = filter(None, carried_flags(data["flags"]).split(";"))
    doubts = " ".join(FOOTNOTES.get(code, code).rstrip(".") + ";" for code in codes)
    found = {
        f"{len(missing)} of {len(data)} numbers not measured yet{_ratios(missing)}": len(missing),
        f"{fewer} from some of the seeds only": fewer,
        f"{flagged} with a remark in the CSV: {doubts.rstrip(';')}": flagged,
    }
    return [text for text, count in found.items() if count]


def _ratios(missing: pd.DataFrame) -> str:
    """At which remaining ratios numbers are missing, panel by panel."""
    ratios = {
        str(letter): sorted({100 * k for k in rows["keep_ratio"].dropna().astype(float)})
        for letter, rows in missing.groupby("panel")
    }
    named = [
        f"({letter}) ".replace("() ", "") + ", ".join(f"{k:g}" for k in found) + " %"
        for letter, found in ratios.items()
        if found
    ]
    return f": ratios {', '.join(named)}" if named else ""

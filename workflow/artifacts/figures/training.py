"""Training curves of an experiment: accuracies, loss and learning rate over epochs.

A row of panels for each kind of model; in it a line a model: hue as everywhere, lighter where
fewer weights remain.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict
from math import sqrt
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rst_core.axes import DEFAULTS, METHOD_AXES, MODEL_COLUMNS, model_axes
from rst_core.curves import Epoch, chosen
from rst_core.identity import TrainingCell
from workflow.artifacts import style
from workflow.artifacts.figures.training_parts import trained
from workflow.artifacts.numbers.frame import model_columns
from workflow.artifacts.numbers.summary import data_label, remarks, short_label
from workflow.matrix import Matrix

#: What a row of panels shows, by the CSV's columns.
_PANELS = {
    "validation_natural": "natural (%)",
    "validation_robust": "robust (%)",
    "train_loss": "loss",
    "lr": "learning rate",
}
#: What all models of a row have in common.
_ROW = [name for name in MODEL_COLUMNS if name not in ("seed", "keep_ratio")]
_NUMBERS = [name for name in Epoch.__dataclass_fields__ if name != "seconds"]
COLUMNS = ["experiment", *MODEL_COLUMNS, *_NUMBERS, "chosen", "selection", "data", "cell"]
#: Letters of a title that fit into a line.
_LETTERS = 92
#: Share of white in the lightest line.
_LIGHTEST = 0.7
#: Share of a scale between the outermost values and the frame.
_MARGIN = 0.05
#: Heights in inches: of a row's title, panels and ticks, of the word epoch, of a line of text.
_TITLE, _PANEL, _TICKS, _EPOCH, _LINE = 0.24, 0.88, 0.18, 0.2, 0.13
#: Inches to the left of the panels.
_LEFT = 0.42

#: What a row of panels is of: values by the names of axes, as pandas has them.
RowAxes = Mapping[Hashable, Any]
Curves = Mapping[TrainingCell, Sequence[Epoch]]


def build(experiment: str, curves: Curves, matrix: Matrix) -> pd.DataFrame:
    """One row for each model and epoch of those curves that there are."""
    selection, rows = matrix.config.selection, []
    for cell in trained(matrix, experiment):
        if cell not in curves:
            continue
        kept = chosen(curves[cell], selection)
        common = {
            "experiment": experiment,
            **model_columns(model_axes(cell.model)),
            "selection": selection.value,
            "data": data_label(matrix, _role(cell.model.network.dataset, matrix)),
            "cell": cell.path,
        }
        rows += [common | asdict(one) | {"chosen": one is kept} for one in curves[cell]]
    return pd.DataFrame(rows, columns=COLUMNS)


def _role(dataset: str, matrix: Matrix) -> str:
    return next(role for role, name in matrix.config.roles.datasets.items() if name == dataset)


def draw(experiment: str, data: pd.DataFrame, matrix: Matrix) -> Figure:
    """The picture of :func:`build`'s data."""
    style.begin()
    cells = trained(matrix, experiment)
    planned = pd.DataFrame([model_columns(model_axes(cell.model)) for cell in cells])
    kinds = _kinds(planned).drop_duplicates().to_dict("records")
    ratios = sorted(planned["keep_ratio"].dropna().unique())
    titles = [_title(kind, matrix) for kind in kinds]
    picture, axes = _lay_out(titles, bool(ratios), _note(cells, data, matrix))
    for row, kind, title in zip(axes, kinds, titles, strict=True):
        mine = data[(_kinds(data) == pd.Series(kind)).all(axis=1)]
        row[0].set_title(title, loc="left", x=-0.3)
        for ax, column in zip(row, _PANELS, strict=True):
            _panel(ax, column, mine, kind)
    for column, name in zip(axes.T, _PANELS, strict=True):
        drawn = [ax for ax in column if ax.has_data()]
        _share_scale(drawn)
        for ax in drawn:
            ax.set_ylabel(_PANELS[name])
            if name == "lr":
                ax.set_ylim(bottom=0)
        if column[-1] in drawn:
            column[-1].set_xlabel("epoch")
    if ratios:
        _legend(picture, axes[-1][0], ratios)
    return picture


def _lay_out(titles: list[str], legend: bool, note: str) -> tuple[Figure, Any]:
    """Axes at fixed positions: a layout engine would take longer than all the rest."""
    picture = plt.figure(figsize=(style.TEXT_WIDTH, 1))
    text = style.wrapped(note, picture)
    above = _TITLE + _LINE * max(title.count("\n") for title in titles)
    row, below = above + _PANEL + _TICKS, _EPOCH + (text.count("\n") + 1 + legend) * _LINE
    height = row * len(titles) + below
    picture.set_figheight(height)
    picture.text(0.01, 0.04 / height, text, color="0.35", va="bottom")
    spacing = {
        "left": _LEFT / style.TEXT_WIDTH, "right": 0.98, "wspace": 0.5,
        "bottom": (below + _TICKS) / height, "top": 1 - above / height,
        "hspace": (above + _TICKS) / _PANEL,
    }  # fmt: skip
    return picture, picture.subplots(len(titles), len(_PANELS), squeeze=False, gridspec_kw=spacing)


def _kinds(frame: pd.DataFrame) -> pd.DataFrame:
    """The row of panels that a model belongs to; empty text where it has no such axis."""
    return frame[_ROW].astype(object).fillna("")


def _title(kind: RowAxes, matrix: Matrix) -> str:
    """What a row is of, in a line, without the paper's defaults [4.1]."""
    named = ["model", *(axis.name for axis in METHOD_AXES if axis.words)]
    words = [str(kind[axis]) for axis in named if kind[axis] not in ("", DEFAULTS.get(axis))]
    parts = [style.look(word).label for word in words]
    if kind["pretrained_on"]:
        start = matrix.config.datasets[str(kind["pretrained_on"])]
        parts.append(f"from {start.label}{'†' if start.stand_in_for or start.note else ''}")
    dataset = short_label(matrix, _role(str(kind["dataset"]), matrix))
    network = matrix.config.networks[str(kind["network"])].label
    where = f"{network} @ {dataset}".replace("\n", " ")
    eps = f", ε = {kind['trained_eps']:g}/255" if kind["trained_eps"] else ""
    title = f"{', '.join(parts)}: {where}{eps}"
    return title if len(title) <= _LETTERS else title.replace(": ", ":\n", 1)


def _panel(ax: Axes, column: str, rows: pd.DataFrame, kind: RowAxes) -> None:
    if rows[column].isna().all():
        style.absent(ax, "no models yet" if rows.empty else "trained naturally")
        return
    lines = rows.sort_values(["keep_ratio", "cell", "epoch"]).groupby("cell", sort=False)
    thin = lines.ngroups > 12
    for _, line in lines:
        colour = _shade(_hue(kind), line["keep_ratio"].iloc[0])
        ax.plot(
            line["epoch"], line[column].astype(float), color=colour, lw=0.5 if thin else 0.8,
            marker="." if len(line) == 1 else "",
            drawstyle="steps-mid" if column == "lr" else "default",
        )  # fmt: skip
        if column.startswith("validation"):
            best = line[line["chosen"]]
            size = 1.8 if thin else 2.8
            ax.plot(best["epoch"], best[column].astype(float), "o", ms=size, color=colour)
    last = int(rows["epoch"].max())
    ax.set_xlim(1 - 0.02 * last, last * 1.02)
    ax.set_xticks(sorted({1, (last + 1) // 2, last}))


def _hue(kind: RowAxes) -> str:
    """RSTs that differ from the paper's default have the colour of what they differ in."""
    axes = ("method", "pattern", "init") if kind["model"] == "rst" else ("model",)
    colours = [style.look(str(kind[axis])).colour for axis in axes]
    default = style.look("rst").colour
    return next((colour for colour in colours if colour != default), default)


def _shade(hue: str, keep_ratio: float) -> str:
    """The hue, the lighter the fewer weights remain, and the same in every figure.

    By the root of the ratio the paper's ratios are about equally far apart.
    """
    if pd.isna(keep_ratio):
        return hue
    white = _LIGHTEST * (1 - sqrt(keep_ratio))
    red, green, blue = (part + (1 - part) * white for part in to_rgb(hue))
    return to_hex((red, green, blue))


def _share_scale(drawn: Sequence[Axes]) -> None:
    """One scale for the panels of a column, so that rows compare.

    Its margin is of all their values: a panel's own, where they hardly differ, is none on the
    common scale, and its curve would lie on the frame.
    """
    limits = [limit for ax in drawn for limit in ax.get_ylim()]
    values = [value for ax in drawn for value in ax.dataLim.intervaly]
    for ax in drawn:
        margin = _MARGIN * (max(values) - min(values))
        ax.set_ylim(min(*limits, min(values) - margin), max(*limits, max(values) + margin))
        ax.locator_params(axis="y", nbins=4)


def _legend(picture: Figure, last: Axes, ratios: list[float]) -> None:
    """Which shade is which remaining ratio, in a line under the panels."""
    label = Line2D([], [], ls="", label="remaining ratio (%):")
    handles = [Line2D([], [], color=_shade("0.25", one), label=f"{100 * one:g}") for one in ratios]
    bottom = last.get_position().y0 - (_TICKS + _EPOCH) / picture.get_figheight()
    picture.legend(
        handles=[label, *handles], loc="upper left", bbox_to_anchor=(-0.011, bottom),
        ncols=len(handles) + 1, frameon=False, borderpad=0, borderaxespad=0, handlelength=0.9,
        handletextpad=0.3, columnspacing=0.9,
    )  # fmt: skip


def _note(cells: Sequence[TrainingCell], data: pd.DataFrame, matrix: Matrix) -> str:
    datasets = dict.fromkeys(cell.model.network.dataset for cell in cells)
    steps = sorted({matrix.training_settings(name).validation_steps for name in datasets})
    absent = len(cells) - data["cell"].nunique()
    seeds = {cell.model.network.seed for cell in cells}  # an experiment may name its own
    notes = [
        "accuracies on held-out training images, robust under PGD-"
        f"{' or '.join(map(str, steps))} at the ε of training",
        "loss on the images that were trained on",
        "a line for each model",
        "dots: the epoch that is kept",
        f"{absent} of {len(cells)} models have no curve yet" if absent else "",
        remarks(matrix, [_role(name, matrix) for name in datasets], len(seeds)),
    ]
    return "; ".join(filter(None, notes))

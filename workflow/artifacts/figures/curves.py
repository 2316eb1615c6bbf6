"""Line figures: accuracy over the keep ratio, one panel a sub-figure of the paper."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from rst_core.axes import DEFAULTS
from workflow.artifacts import style
from workflow.artifacts.figures.panel_grid import NARROW, Slot, bands, footed, lay_out, letter_title
from workflow.artifacts.figures.panels import Panel, PanelFigure, Series
from workflow.artifacts.numbers.models import ATTACK, Models
from workflow.artifacts.numbers.selection import NATURAL, Measure, Number, evaluated, tidy
from workflow.artifacts.numbers.summary import Published, network_label, paper_values
from workflow.matrix import Matrix

#: "zoom-ins for the low remaining ratios (1 % ~ 20 %)" [5.1]
ZOOM = 0.2
_MEASURES = {"robust": "robust accuracy (%)", "natural": "natural accuracy (%)"}


def build(figure: PanelFigure, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
    """One row for each panel, series and keep ratio; keep ratio 1 is the dense."""
    points = list(_points(figure, matrix))
    numbers = [number for _, _, number in points]
    published = {**published_points(), **paper_values(figure.name)}
    data = tidy(figure.name, numbers, cells, matrix, published)
    data.insert(1, "panel", [panel.letter for panel, _, _ in points])
    data["series"] = [series.name for _, series, _ in points]
    data.loc[data["series"] == "dense_adversarial", "keep_ratio"] = 1.0
    return data


def _points(figure: PanelFigure, matrix: Matrix) -> Iterator[tuple[Panel, Series, Number]]:
    for panel in figure.panels:
        for planned in panel.planned(matrix):
            ratios = [None] if planned.series in panel.dense else planned.keep_ratios
            for keep_ratio in ratios:
                models = planned.models(panel.dataset, keep_ratio, matrix)
                yield panel, planned.series, _number(panel, planned.series, models)


def _number(panel: Panel, series: Series, models: Models) -> Number:
    measure = NATURAL if panel.measure == "natural" else Measure(ATTACK, series.eps)
    column = f"{panel.dataset}/{panel.measure}"
    column += "" if series.eps == DEFAULTS["trained_eps"] else f"-eps{series.eps:g}"
    ratio = 1 if models.keep_ratio is None else models.keep_ratio
    return Number(f"{series.network}/{series.name}@{ratio:g}", column, evaluated(models, measure))


@cache
def published_points() -> Published:
    """What the paper publishes of its curves.

    The curves come without numbers; known are what the text says of Figure 1 and the diagonal of
    Figure 7, which is the robust accuracy of each RST under its own attack.
    """
    diagonal = {k: v for k, v in paper_values("fig7").items() if k[0] == k[1]}
    robust = {(f"resnet18/rst@{k}", "cifar10/robust"): v for (k, _), v in diagonal.items()}
    return robust | dict(paper_values("fig1"))


def draw(figure: PanelFigure, data: pd.DataFrame, matrix: Matrix, remark: str = "") -> Figure:
    """The panels, each with its enlargement where the paper has one."""
    style.begin()
    slots = [s for p in figure.panels for s in ([Slot(p), Slot(p, True)] if p.zoom else [Slot(p)])]
    known = _known(figure, matrix)
    handles = {p: _handles(p, p.rows(data), known, matrix) for p in figure.panels}
    letters = NARROW if len(slots) > 2 else 100
    titles = {p: letter_title(p, matrix, letters) for p in figure.panels}
    picture, axes = lay_out(slots, handles, titles)
    for slot, ax in axes.items():
        _panel(ax, slot, slot.panel.rows(data), matrix)
    for slot, ax in axes.items():
        if slot.zoomed:
            _enlarge(axes[Slot(slot.panel)], ax, slot.panel.rows(data))
    _name_axes(axes)
    published = data["difference"].notna().any()
    notes = ["the paper's points: its text and the diagonal of its Figure 7"] if published else []
    notes += _lacking(figure, matrix)
    return footed(picture, [remark, *notes, *bands(data)], figure, data, matrix)


def _known(figure: PanelFigure, matrix: Matrix) -> set[str]:
    """Names of the series that the config has in any of the panels."""
    return {
        _look(panel, series, matrix).label
        for panel in figure.panels
        for series in (*panel.series, *panel.dense)
        if series not in panel.lacking(matrix)
    }


def _lacking(figure: PanelFigure, matrix: Matrix) -> list[str]:
    """Which series have no curve in which of the panels, because the config has none."""
    where: dict[str, list[str]] = {}
    for panel in figure.panels:
        for series in panel.lacking(matrix):
            where.setdefault(_look(panel, series, matrix).label, []).append(panel.letter)
    named = [
        f"{label} ({', '.join(letters)})".replace(" ()", "") for label, letters in where.items()
    ]
    return [f"not in this matrix: {'; '.join(named)}"] if named else []


def _name_axes(axes: dict[Slot, Axes]) -> None:
    """Name the measure once for neighbours that share it; empty panels have no axes to name."""
    row, named = None, ""
    for slot, ax in axes.items():
        if not ax.has_data():
            continue
        spec = ax.get_subplotspec()
        assert spec is not None
        if spec.rowspan.start != row:
            row, named = spec.rowspan.start, ""
        ax.set_xlabel("remaining ratio (%)")
        if slot.panel.measure != named:
            named = slot.panel.measure
            ax.set_ylabel(_MEASURES[named])


def _look(panel: Panel, series: Series, matrix: Matrix) -> style.Look:
    """By the network where a panel compares networks, else by the series."""
    if len(panel.networks) == 1:
        return style.look(series.name)
    label = network_label(matrix, series.network)
    if series in panel.dense:
        return style.look(series.name)._replace(label=f"{label} (dense)")
    return style.look(series.network)._replace(label=f"RST @ {label}")


def _dashes(panel: Panel, series: Series) -> str:
    """A dense network's line: the same everywhere, but for the second network of a panel."""
    return "--" if series.network == panel.networks[0] else ":"


def _handles(panel: Panel, rows: pd.DataFrame, known: set[str], matrix: Matrix) -> list[Line2D]:
    """The legend of a panel: those of its series that are known, measured or not."""
    found = []
    for series in (*panel.series, *panel.dense):
        look = _look(panel, series, matrix)
        if look.label not in known:
            continue
        dense = series in panel.dense
        line: dict[str, Any] = {"ls": _dashes(panel, series)} if dense else {"marker": look.marker}
        found.append(Line2D([], [], color=look.colour, label=look.label, **line))
    if rows["difference"].notna().any():
        found.append(Line2D([], [], **_OPEN, color="black", marker="o", label="the paper's"))
    return found


_OPEN: dict[str, Any] = {"ls": "", "mfc": "none", "ms": 5, "mew": 0.8}


def _panel(ax: Axes, slot: Slot, rows: pd.DataFrame, matrix: Matrix) -> None:
    tickets = rows[rows["series"] != "dense_adversarial"]
    ratios = tickets["keep_ratio"].astype(float).tolist()
    if slot.zoomed:
        ratios = [k for k in ratios if k <= ZOOM] or ratios
    if tickets["mean"].isna().all():
        style.absent(ax, "no cells yet" if len(rows) else "not in this matrix")
        return
    style.keep_ratio_axis(ax, ratios)
    for series in slot.panel.series:
        drawn, look = _series(tickets, series), _look(slot.panel, series, matrix)
        style.curve(ax, drawn, "keep_ratio", look)
        paper = drawn["paper"].astype(float).where(drawn["difference"].notna())
        ax.plot(drawn["keep_ratio"], paper, color=look.colour, marker=look.marker, **_OPEN)
    for series in slot.panel.dense:
        dense = rows[rows["series"] == "dense_adversarial"]
        look = _look(slot.panel, series, matrix)
        _baseline(ax, _series(dense, series), look, _dashes(slot.panel, series))


def _series(rows: pd.DataFrame, series: Series) -> pd.DataFrame:
    mine = rows[(rows["series"] == series.name) & (rows["network_role"] == series.network)]
    return mine.sort_values("keep_ratio")


def _baseline(ax: Axes, rows: pd.DataFrame, look: style.Look, dashes: str) -> None:
    """A dense network is one number for all keep ratios; the paper's stands at the line's end."""
    for _, row in rows[rows["mean"].notna()].iterrows():
        ax.axhline(row["mean"], ls=dashes, color=look.colour)
        if pd.notna(row["spread"]):
            low, high = row["mean"] - row["spread"], row["mean"] + row["spread"]
            ax.axhspan(low, high, color=look.colour, alpha=0.12, lw=0)
        if pd.notna(row["difference"]):
            ax.plot(
                0.975, row["paper"], transform=ax.get_yaxis_transform(), zorder=4,
                color=look.colour, marker="o", **_OPEN,
            )  # fmt: skip


def _enlarge(panel: Axes, zoom: Axes, rows: pd.DataFrame) -> None:
    """Fit the enlargement to the curves inside it, and outline it in the panel."""
    low = rows[rows["keep_ratio"].astype(float).le(ZOOM) & rows["mean"].notna()]
    if not len(low):
        return
    mean, spread = low["mean"].astype(float), low["spread"].astype(float).fillna(0)
    bottom, top = (mean - spread).min(), (mean + spread).max()
    margin = 0.06 * max(top - bottom, 1.0)
    zoom.set_ylim(bottom - margin, top + margin)
    (left, right), (lower, upper) = zoom.get_xlim(), zoom.get_ylim()
    panel.add_patch(
        Rectangle(
            (left, lower), right - left, upper - lower, fill=False, ec="0.3", lw=0.6, ls=":",
            zorder=3,
        )
    )  # fmt: skip

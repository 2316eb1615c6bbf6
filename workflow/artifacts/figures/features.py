"""Figure 4: how far noise moves the last convolution's feature maps [5.2]."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from workflow.artifacts import style
from workflow.artifacts.figures.panel_grid import bands, footed, letter_title
from workflow.artifacts.figures.panels import PanelFigure
from workflow.artifacts.numbers.selection import Number, distance, tidy
from workflow.matrix import Matrix


def build(figure: PanelFigure, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
    """One row for each kind of weights and magnitude of noise."""
    numbers, sizes = [], []
    (panel,) = figure.panels
    for planned in panel.planned(matrix):
        series, models = planned.series, planned.models(panel.dataset, None, matrix)
        for noise_eps in planned.experiments["features"].feature_distance:
            row = f"{series.network}/{series.name}"
            numbers.append(Number(row, f"{noise_eps:g}", distance(models, noise_eps)))
            sizes.append(noise_eps)
    data = tidy(figure.name, numbers, cells, matrix)
    data.insert(1, "panel", panel.letter)
    data["noise_eps"] = sizes
    return data


def draw(figure: PanelFigure, data: pd.DataFrame, matrix: Matrix, remark: str = "") -> Figure:
    """Distance over the magnitude of the noise, one curve for each kind of weights."""
    style.begin()
    (panel,) = figure.panels
    picture, ax = plt.subplots(figsize=(3.2, 2.9), layout="constrained")
    for series in panel.series:
        rows = data[data["series"] == series.name].sort_values("noise_eps")
        style.curve(ax, rows, "noise_eps", style.look(series.name))
    ax.set_title(letter_title(panel, matrix))
    if data["mean"].notna().any():
        ax.set_xlabel("magnitude of the noise ε (1/255)")
        ax.set_ylabel("normalised distance of features")
        ax.set_xticks(sorted(set(data["noise_eps"])))
        ax.set_ylim(bottom=0)
        ax.legend(frameon=True, borderpad=0.3)
    else:
        style.absent(ax, "no cells yet" if len(data) else "not in this matrix")
    return footed(picture, [remark, *bands(data)], figure, data, matrix)

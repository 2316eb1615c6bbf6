"""Figure 1: RSTs exist [4.2]."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workflow.artifacts import style
from workflow.artifacts.summary import (
    network_label,
    of_experiment,
    over_seeds,
    remarks,
    short_label,
    with_paper,
)
from workflow.matrix import Matrix

EXPERIMENT = "existence"
_MEASURES = {"robust": "robust accuracy (%)", "natural": "natural accuracy (%)"}


def build(cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
    """One row for each network, dataset, measure and keep ratio; keep ratio 1 is the dense."""
    experiment, roles = matrix.config.experiments[EXPERIMENT], matrix.config.roles
    cells = of_experiment(cells, experiment)
    own = cells[(cells["kind"] == "Evaluation") & (cells["attack"] == "pgd20")]
    rows: list[dict[str, Any]] = []
    for dataset in experiment.datasets:
        for measure in _MEASURES:
            for network in experiment.networks:
                here = own[
                    (own["dataset"] == roles.datasets[dataset])
                    & (own["network"] == roles.networks[network])
                    & (own["measure"] == measure)
                ]
                for series, keep_ratio in [
                    ("dense_adversarial", 1.0),
                    *(("rst", k) for k in experiment.keep_ratios),
                ]:
                    at = here[here["model"] == series]
                    if series == "rst":
                        at = at[at["keep_ratio"] == keep_ratio]
                    rows.append(
                        {
                            "row": f"{network}/{series}@{keep_ratio:g}",
                            "column": f"{dataset}/{measure}",
                            "role": dataset,
                            "network_role": network,
                            "dataset": roles.datasets[dataset],
                            "network": roles.networks[network],
                            "series": series,
                            "keep_ratio": keep_ratio,
                            "measure": measure,
                            **over_seeds(at["value"]),
                        }
                    )
    return with_paper(rows, "fig1", matrix)


def draw(data: pd.DataFrame, matrix: Matrix) -> Figure:
    """Robust and natural accuracy over the keep ratio, one panel a dataset and measure."""
    style.begin()
    datasets = list(dict.fromkeys(data["role"]))
    panels = [(dataset, measure) for dataset in datasets for measure in _MEASURES]
    figure, axes = plt.subplots(
        1, len(panels), figsize=(2.4 * len(panels), 3.1), layout="constrained", squeeze=False
    )
    for letter, ax, (dataset, measure) in zip("abcdefgh", axes[0], panels, strict=False):
        here = data[(data["role"] == dataset) & (data["measure"] == measure)]
        _panel(ax, here, matrix)
        ax.set_title(f"({letter}) {short_label(matrix, dataset)}")
        ax.set_ylabel(_MEASURES[measure])
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=min(len(labels), 5), frameon=False
    )
    note = "dashed: adversarially trained dense; band: one deviation over seeds; "
    style.footnote(figure, note + remarks(matrix, datasets))
    return figure


def _panel(ax: Axes, here: pd.DataFrame, matrix: Matrix) -> None:
    for network, rows in here.groupby("network_role", sort=False):
        colour, marker = style.LOOKS.get(str(network), ("0.3", "x"))
        label = network_label(matrix, str(network))
        tickets = rows[rows["series"] == "rst"].sort_values("keep_ratio")
        x, y = tickets["keep_ratio"].astype(float), tickets["mean"].astype(float)
        ax.plot(x, y, marker=marker, ms=4, color=colour, label=f"RST @ {label}")
        spread = tickets["spread"].astype(float)
        ax.fill_between(x, y - spread, y + spread, color=colour, alpha=0.2, lw=0)
        for dense in rows.loc[rows["series"] == "dense_adversarial", "mean"].dropna():
            ax.axhline(dense, ls="--", lw=1.2, color=colour, label=f"{label} (dense)")
        shown = rows[rows["difference"].notna() & (rows["series"] == "rst")]
        if len(shown):
            ax.plot(
                shown["keep_ratio"], shown["paper"], marker, mfc="none", color=colour, ms=7,
                label=f"{label} (paper's text)",
            )  # fmt: skip
    style.keep_ratio_axis(ax, here.loc[here["series"] == "rst", "keep_ratio"].tolist())

"""Figure 7: adversarial transferability between RSTs of different keep ratios [6.1]."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from workflow.artifacts import style
from workflow.artifacts.summary import (
    network_label,
    of_experiment,
    over_seeds,
    paper_values,
    remarks,
    short_label,
    with_paper,
)
from workflow.matrix import Matrix

EXPERIMENT = "transfer"


def build(cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
    """One row for each attack ticket and each defending ticket; the ``row`` is the attacker."""
    experiment, roles = matrix.config.experiments[EXPERIMENT], matrix.config.roles
    dataset, network = experiment.datasets[0], experiment.networks[0]
    cells = of_experiment(cells, experiment)
    own = cells[
        (cells["kind"] == "TransferRow")
        & (cells["attack"] == "pgd20")
        & (cells["measure"] == "robust")
        & (cells["dataset"] == roles.datasets[dataset])
        & (cells["network"] == roles.networks[network])
        & (cells["source_model"] == "rst")
    ]
    rows: list[dict[str, Any]] = []
    for attacker in experiment.keep_ratios:
        for defender in experiment.keep_ratios:
            at = own[(own["source_keep_ratio"] == attacker) & (own["keep_ratio"] == defender)]
            rows.append(
                {
                    "row": f"{attacker:g}",
                    "column": f"{defender:g}",
                    "role": dataset,
                    "network_role": network,
                    "dataset": roles.datasets[dataset],
                    "network": roles.networks[network],
                    "series": "rst",
                    "attack_keep_ratio": attacker,
                    "keep_ratio": defender,
                    "measure": "robust",
                    **over_seeds(at["value"]),
                }
            )
    return with_paper(rows, "fig7", matrix)


def draw(data: pd.DataFrame, matrix: Matrix) -> Figure:
    """Our matrix, and the paper's beside it."""
    style.begin()
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(style.FULL_WIDTH * 1.25, 3.9), layout="constrained"
    )
    role, network = data["role"].iloc[0], data["network_role"].iloc[0]
    ours = data.pivot(index="attack_keep_ratio", columns="keep_ratio", values="mean")
    where = f"{network_label(matrix, network)} @ {short_label(matrix, role)}"
    _heatmap(left, ours.astype(float), where, "no cells yet")
    _heatmap(right, _published(), "the paper: ResNet18 @ CIFAR-10", "lost in our copy of the text")
    note = "robust accuracy (%); diagonal outlined: the ticket's own attack; "
    style.footnote(figure, note + remarks(matrix, [role]))
    return figure


def _published() -> pd.DataFrame:
    """The paper's matrix; the row at 0.05 is lost in the text and stays empty."""
    values = paper_values("fig7")
    ratios = sorted({float(column) for _, column in values})
    matrix = [[values.get((f"{r:g}", f"{c:g}"), np.nan) for c in ratios] for r in ratios]
    return pd.DataFrame(matrix, index=ratios, columns=ratios)


def _heatmap(ax: Axes, matrix: pd.DataFrame, title: str, absent: str) -> None:
    """An annotated matrix with its diagonal outlined; ``absent`` stands in empty rows."""
    size = len(matrix)
    sns.heatmap(
        matrix, ax=ax, annot=True, fmt=".1f", cmap="cividis", square=True, cbar=False,
        annot_kws={"size": 7 if size > 5 else 9}, linewidths=0.5,
    )  # fmt: skip
    for i in range(size):
        if not matrix.iloc[i].isna().all():
            ax.add_patch(Rectangle((i, i), 1, 1, fill=False, edgecolor="#D55E00", lw=2))
        else:
            ax.text(size / 2, i + 0.5, absent, ha="center", va="center", color="0.4")
    ax.set_facecolor("0.92")
    ax.grid(False)
    ax.set_title(title)
    ax.set_xlabel("evaluated on the RST with ratio")
    ax.set_ylabel("images made against the RST with ratio")
    ax.tick_params(rotation=0)

"""Table 3: R2S under PGD-20, the exact mean of the transfer matrix [6.3]."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from rst_core.r2s import expected_accuracy
from workflow.artifacts.summary import (
    network_label,
    of_experiment,
    over_seeds,
    short_label,
    with_paper,
)
from workflow.matrix import Matrix

EXPERIMENT = "r2s"


def switch_accuracy(cells: pd.DataFrame, keep_ratios: list[float], measure: str) -> pd.Series:
    """R2S's accuracy for each seed, from transfer rows of one network, dataset and attack.

    Robust: the mean over attackers and defenders. Natural: the mean over defenders. A seed
    whose matrix is not complete is missing.
    """
    found: dict[int, float] = {}
    inside = cells[
        (cells["kind"] == "TransferRow")
        & (cells["measure"] == measure)
        & cells["keep_ratio"].isin(keep_ratios)
        & cells["source_keep_ratio"].isin(keep_ratios)
    ]
    for seed, rows in inside.groupby("seed"):
        matrix = rows.pivot_table(index="source_keep_ratio", columns="keep_ratio", values="value")
        matrix = matrix.reindex(index=keep_ratios, columns=keep_ratios)
        if not matrix.isna().to_numpy().any():
            found[int(str(seed))] = expected_accuracy(matrix.to_numpy(dtype=np.float64))
    return pd.Series(found, dtype=float)


def build(cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
    """Natural and PGD-20 accuracy of each dense and of R2S over its tickets."""
    experiment, roles = matrix.config.experiments[EXPERIMENT], matrix.config.roles
    cells = of_experiment(cells, experiment)
    own = cells[cells["attack"] == "pgd20"]
    rows: list[dict[str, Any]] = []
    for network in experiment.networks:
        for series in ("dense", "r2s"):
            for dataset in experiment.datasets:
                here = own[
                    (own["dataset"] == roles.datasets[dataset])
                    & (own["network"] == roles.networks[network])
                ]
                for measure in ("natural", "robust"):
                    if series == "dense":
                        mine = here["model"] == "dense_adversarial"
                        mine &= (here["kind"] == "Evaluation") & (here["measure"] == measure)
                        values = here.loc[mine, "value"]
                    else:
                        tickets = here[here["source_model"] == "rst"]
                        values = switch_accuracy(tickets, experiment.keep_ratios, measure)
                    rows.append(
                        {
                            "row": f"{network}/{series}",
                            "column": f"{dataset}/{measure}",
                            "role": dataset,
                            "network_role": network,
                            "dataset": roles.datasets[dataset],
                            "network": roles.networks[network],
                            "series": series,
                            "measure": measure,
                            **over_seeds(values),
                        }
                    )
    return with_paper(rows, "table3", matrix)


def row_label(row: str, matrix: Matrix) -> str:
    """How the paper names a row."""
    network, series = row.split("/")
    label = network_label(matrix, network)
    return f"{label} (Dense)" if series == "dense" else f"R2S @ {label}"


def column_label(column: str, matrix: Matrix) -> str:
    """How the paper names a column."""
    dataset, measure = column.split("/")
    shown = {"natural": "Natural Acc (%)", "robust": "PGD-20 Acc (%)"}[measure]
    return f"{short_label(matrix, dataset)}\n{shown}"

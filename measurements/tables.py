"""Fill the tables of docs/measurements.md from the cell files in measurements/cells.

    python -m measurements.tables

No number in that document is typed in: a test compares the committed tables with the
committed cells.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from pathlib import Path

import pandas as pd

from rst_core.axes import model_axes
from rst_core.curves import METRICS, read_curve
from rst_core.identity import Model, parse_model
from workflow import measured_page
from workflow.artifacts.numbers.frame import read_cells
from workflow.text import table

CELLS = Path(__file__).parent / "cells"
DOCUMENT = Path(__file__).parents[1] / "docs" / "measurements.md"

_ORDER = (
    "dense_natural", "dense_adversarial", "rst", "finetuned_inherited", "finetuned_reinitialised",
    "rtt_natural", "rtt_adversarial", "rtt_transferred",
)  # fmt: skip


def cells(models: str) -> pd.DataFrame:
    """All numbers of the models of one dataset and network, such as cifar10_6k/resnet18_quarter."""
    return read_cells(sorted(CELLS.glob(f"{models}/**/*.json")))


def _shown(row: pd.Series) -> str:
    error = 100 * sqrt(row["value"] / 100 * (1 - row["value"] / 100) / row["total"])
    return f"{row['value']:.1f} ± {error:.1f} ({row['correct']:.0f})"


def _minutes(cell: str) -> str:
    curve = read_curve((CELLS / cell).parents[1] / METRICS)
    return f"{sum(epoch.seconds for epoch in curve) / 60:.0f}"


def accuracies(models: str) -> str:
    """Natural and PGD-20 accuracy of every model, with its standard error over images."""
    frame = cells(models)
    own = frame[(frame["kind"] == "Evaluation") & (frame["attack"] == "pgd20")]
    rows = []
    for (model, keep, cell), group in own.groupby(["model", "keep_ratio", "cell"], dropna=False):
        shown = {row["measure"]: _shown(row) for _, row in group.iterrows()}
        ratio = "" if str(keep) == "nan" else f"{float(str(keep)):g}"
        numbers = [shown["natural"], shown["robust"], _minutes(str(cell))]
        rows.append([str(model), ratio, *numbers])
    rows.sort(key=lambda row: (_ORDER.index(row[0]), row[1]))
    names = [[row[0].replace("_", " "), *row[1:]] for row in rows]
    heads = ["model", "keep ratio", "natural, %", "PGD-20, %", "training, minutes"]
    return table(heads, names)


def _label(model: Model) -> str:
    axes = model_axes(model)
    ratio = f" {axes['keep_ratio']:g}" if axes["keep_ratio"] else ""
    return str(axes["model"]).replace("_", " ") + ratio


def curves(models: str) -> str:
    """Accuracy on the images trained on, and on held-out ones under PGD, after some epochs."""
    found = {path: read_curve(path) for path in sorted(CELLS.glob(f"{models}/**/{METRICS}"))}
    last = max(len(curve) for curve in found.values())
    shown = sorted({1, *range(5, last, 5), last})
    rows = []
    for path, curve in found.items():
        label = _label(parse_model(path.parent.relative_to(CELLS).as_posix()))
        values = [
            f"{curve[n - 1].train_accuracy:.1f} / {curve[n - 1].validation_robust:.1f}"
            if n <= len(curve)
            else ""
            for n in shown
        ]
        rows.append([label, *values])
    return table(["model", *(f"epoch {n}" for n in shown)], rows)


def rates(models: str) -> str:
    """What some learning rates have reached after the last epoch; accuracies in percent."""
    rows: list[list[str]] = []
    for path in sorted(CELLS.glob(f"{models}/**/{METRICS}")):
        model = parse_model(path.parent.relative_to(CELLS).as_posix())
        curve = read_curve(path)
        last = curve[-1]
        numbers = (last.train_accuracy, last.validation_natural, last.validation_robust)
        rows.append([_label(model), f"{curve[0].lr:g}", *(f"{number:.1f}" for number in numbers)])
    heads = ["model", "initial lr", "trained on, FGSM-RS", "held out, natural", "held out, PGD-10"]
    rows.sort(key=lambda row: (row[0], float(row[1])))
    return table(heads, rows)


def transfer(models: str) -> str:
    """Transfer matrices, rows attacked and columns evaluated, and R2S as their mean."""
    frame = cells(models)
    rows = frame[(frame["kind"] == "TransferRow") & (frame["measure"] == "robust")]
    parts = []
    for attack, group in rows.groupby("attack"):
        matrix = group.pivot_table(index="source_keep_ratio", columns="keep_ratio", values="value")
        heads = [f"{attack}: made on", *(f"{k:g}" for k in matrix.columns)]
        body = [[f"{k:g}", *(f"{v:.1f}" for v in matrix.loc[k])] for k in matrix.index]
        mean = matrix.to_numpy().mean()
        parts.append(f"{table(heads, body)}\n\nMean, which is R2S under {attack}: {mean:.1f} %.")
    return "\n\n".join(parts)


def adaptive(models: str) -> str:
    """R2S under the adaptive attacks, beside the attack on one ticket."""
    frame = cells(models)
    sets = frame[frame["candidates"].notna() & (frame["measure"] == "robust")]
    rows = [
        [
            str(attack),
            str(candidates).replace("+", ", "),
            f"{group['value'].mean():.1f}",
            f"{group['total'].iloc[0]:,.0f}",
        ]
        for (attack, candidates), group in sets.groupby(["attack", "candidates"])
    ]
    return table(["attack", "candidate set", "R2S, %", "images"], rows)


def features(models: str) -> str:
    """Feature distances over noise magnitudes."""
    frame = cells(models)
    frame = frame[frame["measure"] == "feature_distance"]
    matrix = frame.pivot_table(index="model", columns="noise_eps", values="value")
    matrix = matrix.reindex(["untrained", "dense_natural", "dense_adversarial"]).dropna()
    heads = ["weights", *(f"eps {e:g}" for e in matrix.columns)]
    rows = [[str(m).replace("_", " "), *(f"{v:.3f}" for v in matrix.loc[m])] for m in matrix.index]
    return table(heads, rows)


_TABLES: dict[str, Callable[[str], str]] = {
    "accuracies": accuracies,
    "curves": curves,
    "rates": rates,
    "transfer": transfer,
    "adaptive": adaptive,
    "features": features,
}


def filled(text: str) -> str:
    """The document with every marked table made anew."""

    def made(part: str) -> str:
        name, models = part.split()
        return _TABLES[name](models)

    return measured_page.filled(text, made)


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")

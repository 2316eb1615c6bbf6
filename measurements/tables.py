"""Fill docs/measurements.md, and README's summary, from the cell files in measurements/cells.

    python -m measurements.tables

No number in them is typed in: a test compares the committed pages with the committed cells.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rst_core.axes import model_axes
from rst_core.curves import METRICS, read_curve
from rst_core.identity import Model, Ticket, parse_model
from rst_core.models.files import load_model
from rst_core.models.masks import draw_scores, top_k_mask
from rst_core.models.networks import prunable_weights
from rst_core.records import unpack_outcomes
from rst_core.vocabulary import Pattern, SearchMethod
from workflow import measured_page
from workflow.artifacts.numbers.frame import read_cells
from workflow.text import table

CELLS = Path(__file__).parent / "cells"
ROOT = Path(__file__).parents[1]
DOCUMENT, README = ROOT / "docs" / "measurements.md", ROOT / "README.md"
#: The part of README that is filled in here.
SUMMARY = "summary cifar10_50k/resnet18_quarter"

_ORDER = (
    "dense_natural", "dense_adversarial", "rst", "finetuned_inherited", "finetuned_reinitialised",
    "rtt_natural", "rtt_adversarial", "rtt_transferred",
)  # fmt: skip


def cells(models: str) -> pd.DataFrame:
    """All numbers of the models of one dataset and network, such as cifar10_6k/resnet18_quarter."""
    return read_cells(sorted(CELLS.glob(f"{models}/**/*.json")))


def own_pgd20(models: str, *, structured: bool = False) -> pd.DataFrame:
    """The models' accuracies without attack and under PGD-20 on themselves.

    Either of structured tickets, or of all other models.
    """
    frame = cells(models)
    patterns = frame["pattern"].isin([Pattern.KERNEL, Pattern.CHANNEL])
    own = (frame["kind"] == "Evaluation") & (frame["attack"] == "pgd20")
    return frame[own & (patterns == structured)]


def _shown(row: pd.Series) -> str:
    error = 100 * sqrt(row["value"] / 100 * (1 - row["value"] / 100) / row["total"])
    return f"{row['value']:.1f} ± {error:.1f} ({row['correct']:.0f})"


def _minutes(cell: str) -> str:
    curve = read_curve((CELLS / cell).parents[1] / METRICS)
    return f"{sum(epoch.seconds for epoch in curve) / 60:.0f}"


def accuracies(models: str) -> str:
    """Natural and PGD-20 accuracy of every model, with its standard error over images."""
    rows = []
    groups = own_pgd20(models).groupby(["model", "keep_ratio", "cell"], dropna=False)
    for (model, keep, cell), group in groups:
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


def _element(path: Path) -> bool:
    """Whether the curve in a file is of a model without structure."""
    model = parse_model(path.parent.relative_to(CELLS).as_posix())
    return model_axes(model)["pattern"] in (Pattern.ELEMENT, None)


def curves(models: str) -> str:
    """Accuracy on the images trained on, and on held-out ones under PGD, after some epochs."""
    found = {path: read_curve(path) for path in sorted(CELLS.glob(f"{models}/**/{METRICS}"))}
    found = {path: curve for path, curve in found.items() if _element(path)}
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


def _matrices(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Transfer matrices by attack, rows attacked; the last row is natural accuracy."""
    found = {}
    rows = frame[frame["kind"] == "TransferRow"]
    for attack, group in rows.groupby("attack"):
        robust = group[group["measure"] == "robust"]
        matrix = robust.pivot_table(index="source_keep_ratio", columns="keep_ratio", values="value")
        natural = group[group["measure"] == "natural"].groupby("keep_ratio")["value"].first()
        found[str(attack)] = pd.concat([matrix, natural.to_frame("none").T])
    return found


def _damage(matrix: pd.DataFrame) -> str:
    """Of the damage that a ticket's own images do, the shares that other tickets' images do."""
    robust, natural = matrix.to_numpy()[:-1], matrix.to_numpy()[-1]
    shares = 100 * (natural - robust) / (natural - np.diag(robust))
    others = shares[~np.eye(len(robust), dtype=bool)]
    return f"{others.min():.0f} to {others.max():.0f} %"


def transfer(models: str) -> str:
    """Transfer matrices, rows attacked and columns evaluated, and R2S as their mean."""
    parts = []
    for attack, matrix in _matrices(cells(models)).items():
        heads = [f"{attack}: made on", *(f"{k:g}" for k in matrix.columns)]
        body = [[str(row), *(f"{v:.1f}" for v in values)] for row, values in matrix.iterrows()]
        parts.append(
            f"{table(heads, body)}\n\nMean of the matrix, which is R2S under {attack}: "
            f"{matrix.iloc[:-1].to_numpy().mean():.1f} %. Images made on another ticket do "
            f"{_damage(matrix)} of the damage of a ticket's own."
        )
    return "\n\n".join(parts)


def _images(row: Any) -> list[bool]:
    """Every image's outcome."""
    return list(unpack_outcomes({name: row[name] for name in ("correct", "total", "outcomes")}))


def _on_sets(frame: pd.DataFrame) -> dict[tuple[str, str], tuple[Any, Any]]:
    """R2S under each attack on a whole candidate set, and its dense under PGD-20.

    Image by image, on the images that the set was attacked on.
    """
    robust = frame[frame["measure"] == "robust"]
    own = robust[(robust["model"] == "dense_adversarial") & (robust["attack"] == "pgd20")]
    dense = np.array(_images(own.iloc[0]))
    found = {}
    sets = robust[robust["candidates"].notna()]
    for (attack, candidates), group in sets.groupby(["attack", "candidates"]):
        switch = np.mean([_images(row) for _, row in group.iterrows()], axis=0)
        found[str(attack), str(candidates)] = 100 * switch, 100 * dense[: len(switch)]
    return found


def adaptive(models: str) -> str:
    """R2S under attacks on the whole set, less its dense under PGD-20 on the same images."""
    rows = []
    for (attack, candidates), (switch, dense) in _on_sets(cells(models)).items():
        less = switch - dense
        error = less.std(ddof=1) / sqrt(len(less))
        numbers = [
            f"{switch.mean():.1f}",
            f"{dense.mean():.1f}",
            f"{less.mean():+.1f} ± {error:.1f}",
        ]
        rows.append([attack, candidates.replace("+", ", "), *numbers, f"{len(less):,}"])
    heads = ["attack on R2S", "candidate set", "R2S, %", "dense, PGD-20, %", "R2S less dense"]
    return table([*heads, "images"], rows)


def tried(runs: str) -> str:
    """What was trained how on all images: accuracies on those, and on all test images."""
    found: list[tuple[float, list[str]]] = []
    own = own_pgd20(runs)
    alike = (own["method"] == SearchMethod.FGSM_RS) & ~own["network"].str.contains("released")
    for (cell, network), group in own[alike].groupby(["cell", "network"]):
        curve = read_curve((CELLS / str(cell)).parents[1] / METRICS)
        values = group.set_index("measure")["value"]
        label = _label(parse_model("/".join(str(cell).split("/")[:4])))
        width = {"eighth": "1/8", "quarter": "1/4"}[str(network).rpartition("_")[2]]
        how = [width, f"{curve[0].lr:g}", str(len(curve))]
        numbers = (curve[-1].train_accuracy, values["natural"], values["robust"])
        found.append((values["robust"], [label, *how, *(f"{n:.1f}" for n in numbers)]))
    heads = ["model", "width", "initial lr", "epochs", "trained on, FGSM-RS", "natural", "PGD-20"]
    return table(heads, [row for _, row in sorted(found)])


def score_inits(models: str) -> str:
    """Structured tickets by how their scores were drawn, and how many groups the search replaced.

    Of the weights that a ticket keeps, ``replaced`` were not kept by its initial scores.
    """
    rows = []
    for cell, group in own_pgd20(models, structured=True).groupby("cell"):
        folder = CELLS / str(cell).rpartition("/")[0]
        ticket = parse_model(folder.parent.relative_to(CELLS).as_posix())
        assert isinstance(ticket, Ticket)
        by = {str(row["measure"]): _shown(row) for _, row in group.iterrows()}
        trained_on = f"{read_curve(folder.parent / METRICS)[-1].train_accuracy:.1f}"
        how = [str(ticket.pattern), str(ticket.score_init)]
        replaced = f"{100 * _replaced(ticket, folder / 'ticket.pt'):.1f}"
        rows.append([*how, replaced, trained_on, by["natural"], by["robust"]])
    heads = ["pattern", "score_init", "replaced, %", "trained on, FGSM-RS", "natural, %"]
    return table([*heads, "PGD-20, %"], sorted(rows, reverse=True))


def _replaced(ticket: Ticket, file: Path) -> float:
    """The share of kept weights that the scores of the search's beginning did not keep."""
    kept = replaced = 0
    for name, weight in prunable_weights(load_model(file)).items():
        scores = draw_scores(weight, name, ticket.pattern, ticket.network.seed, ticket.score_init)
        first = top_k_mask(scores, ticket.keep_ratio).expand_as(weight)
        kept += int((weight != 0).sum())
        replaced += int(((weight != 0) & ~first.bool()).sum())
    return replaced / kept


def auto_attack(runs: str) -> str:
    """Auto-Attack beside PGD-20 on the same images, in percent."""
    frame = cells(runs)
    own = frame[(frame["kind"] == "Evaluation") & (frame["measure"] == "robust")]
    rows = []
    for model, group in own.groupby(own["cell"].str.rsplit("/", n=2).str[0]):
        by = {row["attack"]: _images(row) for _, row in group.iterrows()}
        if "auto_attack" in by:
            strong = by["auto_attack"]
            weak = by["pgd20"][: len(strong)]
            curve = read_curve(CELLS / str(model) / METRICS)
            label = _label(parse_model(str(model)))
            numbers = [f"{100 * np.mean(images):.1f}" for images in (weak, strong)]
            how = [f"{curve[0].lr:g}", str(len(curve))]
            rows.append([label, *how, *numbers, str(len(strong))])
    return table(["model", "initial lr", "epochs", "PGD-20", "Auto-Attack", "images"], rows)


def summary(models: str) -> str:
    """What the run on all images has found, in sentences."""
    frame = cells(models)
    values = own_pgd20(models).pivot_table(
        index=["model", "keep_ratio"], columns="measure", values="value", dropna=False
    )
    values = values.dropna().reset_index()
    dense = values[values["model"] == "dense_adversarial"].iloc[0]
    rsts = values[values["model"] == "rst"].sort_values("robust")
    best = rsts.iloc[-1]
    stopped, full = (_matrices(frame)[attack] for attack in ("pgd20", "pgd20_full"))
    ((switch, beside),) = (v for (attack, _), v in _on_sets(frame).items() if attack == "eot_pgd20")
    r2s = [matrix.iloc[:-1].to_numpy().mean() for matrix in (stopped, full)]
    return (
        f"- Tickets resist PGD-20 far above chance, {rsts['robust'].min():.1f} to "
        f"{best['robust']:.1f} %, but stay behind their adversarially trained dense, "
        f"{dense['robust']:.1f} % (natural accuracy {best['natural']:.1f} against "
        f"{dense['natural']:.1f} %).\n"
        f"- Images made on another ticket do {_damage(stopped)} of the damage of a ticket's own. "
        "That is the released attack, which stops at its first success; with all of its steps they "
        f"do {_damage(full)}.\n"
        f"- R2S has {r2s[0]:.1f} % under that attack on one of its tickets, {r2s[1]:.1f} % with "
        f"all steps, and {switch.mean():.1f} % under EOT; its dense has {beside.mean():.1f} % "
        f"under PGD-20 on EOT's {len(switch):,} images."
    )


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
    "tried": tried,
    "score_inits": score_inits,
    "auto_attack": auto_attack,
    "summary": summary,
    "features": features,
}


def made(part: str) -> str:
    """What stands in a part of the pages, such as ``transfer cifar10_6k/resnet18_quarter``."""
    name, models = part.split()
    return _TABLES[name](models)


def filled(text: str) -> str:
    """The document with every marked table made anew."""
    return measured_page.filled(text, made)


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    measured_page.fill(README, {SUMMARY: made(SUMMARY)})

"""Fill docs/measurements.md, and README's summary, from the cell files in measurements/cells.

    python -m measurements.tables

No number in them is typed in: a test compares the committed pages with the committed cells.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from measurements.numbers import (
    CELLS,
    cells,
    curve_of,
    damage,
    kept_epoch,
    matrices,
    model_of,
    outcomes_by,
    own_pgd20,
    percent,
    replaced,
    switches,
    with_error,
)
from rst_core.axes import model_axes
from rst_core.curves import METRICS, read_curve
from rst_core.identity import Model, Ticket
from rst_core.vocabulary import Pattern, SearchMethod
from workflow import measured_page
from workflow.artifacts.numbers.frame import read_cells
from workflow.artifacts.numbers.outcomes import Shares
from workflow.artifacts.numbers.summary import paper_values
from workflow.text import table

ROOT = Path(__file__).parents[1]
DOCUMENT, README = ROOT / "docs" / "measurements.md", ROOT / "README.md"
#: The part of README that is filled in here.
SUMMARY = "summary cifar10_50k/resnet18_quarter"

_ORDER = (
    "dense_natural", "dense_adversarial", "rst", "finetuned_inherited", "finetuned_reinitialised",
    "rtt_natural", "rtt_adversarial", "rtt_transferred",
)  # fmt: skip


def _shown(shares: Shares) -> str:
    return f"{with_error(shares)} ({shares.sum():.0f})"


def accuracies(models: str) -> str:
    """Natural and PGD-20 accuracy of every model, with its standard error over images."""
    rows = []
    groups = own_pgd20(models).groupby(["model", "keep_ratio", "cell"], dropna=False)
    for (model, keep, cell), group in groups:
        by = outcomes_by("measure", group)
        ratio = "" if str(keep) == "nan" else f"{float(str(keep)):g}"
        numbers = [_shown(by["natural"]), _shown(by["robust"])]
        rows.append([str(model), ratio, kept_epoch(str(cell)), *numbers])
    rows.sort(key=lambda row: (_ORDER.index(row[0]), row[1]))
    names = [[row[0].replace("_", " "), *row[1:]] for row in rows]
    return table(["model", "keep ratio", "epoch", "natural, %", "PGD-20, %"], names)


def _label(model: Model) -> str:
    axes = model_axes(model)
    ratio = f" {axes['keep_ratio']:g}" if axes["keep_ratio"] else ""
    return str(axes["model"]).replace("_", " ") + ratio


def _of(path: Path) -> Model:
    """The model of the file of a curve."""
    return model_of(path.relative_to(CELLS).as_posix())


def curves(models: str) -> str:
    """Accuracy on the images trained on, and on held-out ones under PGD, after some epochs."""
    found = {path: read_curve(path) for path in sorted(CELLS.glob(f"{models}/**/{METRICS}"))}
    whole = (Pattern.ELEMENT, None)
    found = {path: c for path, c in found.items() if model_axes(_of(path))["pattern"] in whole}
    last = max(len(curve) for curve in found.values())
    shown = sorted({1, *range(5, last, 5), last})
    rows = []
    for path, curve in found.items():
        values = [
            f"{curve[n - 1].train_accuracy:.1f} / {curve[n - 1].validation_robust:.1f}"
            if n <= len(curve)
            else ""
            for n in shown
        ]
        rows.append([_label(_of(path)), *values])
    return table(["model", *(f"epoch {n}" for n in shown)], rows)


def rates(models: str) -> str:
    """What some learning rates have reached after the last epoch; accuracies in percent."""
    rows: list[list[str]] = []
    for path in sorted(CELLS.glob(f"{models}/**/{METRICS}")):
        curve = read_curve(path)
        last = curve[-1]
        numbers = (last.train_accuracy, last.validation_natural, last.validation_robust)
        rows.append(
            [_label(_of(path)), f"{curve[0].lr:g}", *(f"{number:.1f}" for number in numbers)]
        )
    heads = ["model", "initial lr", "trained on, FGSM-RS", "held out, natural", "held out, PGD-10"]
    rows.sort(key=lambda row: (row[0], float(row[1])))
    return table(heads, rows)


def transfer(models: str) -> str:
    """Transfer matrices, rows attacked and columns evaluated."""
    parts = []
    for attack, matrix in matrices(cells(models)).items():
        heads = [f"{attack}: made on", *(f"{k:g}" for k in matrix.columns)]
        body = [[str(row), *(f"{v:.1f}" for v in values)] for row, values in matrix.iterrows()]
        parts.append(
            f"{table(heads, body)}\n\nImages made on another ticket do {damage(matrix)} of the "
            "damage that a ticket's own do."
        )
    return "\n\n".join(parts)


def r2s(models: str) -> str:
    """R2S under each attack, less its tickets and less its dense under PGD-20, same images."""
    rows = []
    for attack, on, switch, tickets, dense in switches(models):
        shown = [percent(switch), percent(tickets), with_error(switch - tickets, "+")]
        shown += [percent(dense), with_error(switch - dense, "+")]
        rows.append([attack, on, *shown, f"{len(switch):,}"])
    rows.sort(key=lambda row: (row[1] != "one ticket", -float(row[2])))
    heads = ["attack", "made on", "R2S, %", "its tickets, %", "R2S less tickets", "dense, %"]
    return table([*heads, "R2S less dense", "images"], rows)


def tried(runs: str) -> str:
    """What was trained how on all images: accuracies on those, and on all test images."""
    found: list[tuple[float, list[str]]] = []
    own = own_pgd20(runs)
    alike = (own["method"] == SearchMethod.FGSM_RS) & ~own["network"].str.contains("released")
    for (path, network), group in own[alike].groupby(["cell", "network"]):
        cell, curve = str(path), curve_of(str(path))
        values = group.set_index("measure")["value"]
        width = {"eighth": "1/8", "quarter": "1/4"}[str(network).rpartition("_")[2]]
        how = [width, f"{curve[0].lr:g}", kept_epoch(cell)]
        new = f"{replaced(cell):.0f}" if isinstance(model_of(cell), Ticket) else ""
        numbers = (curve[-1].train_accuracy, values["natural"], values["robust"])
        row = [_label(model_of(cell)), *how, new, *(f"{n:.1f}" for n in numbers)]
        found.append((values["robust"], row))
    heads = ["model", "width", "initial lr", "epoch", "replaced, %", "trained on, FGSM-RS"]
    return table([*heads, "natural", "PGD-20"], [row for _, row in sorted(found)])


def score_inits(models: str) -> str:
    """Structured tickets by how their scores were drawn, and how many groups the search replaced.

    ``classes``: of which any image is classified correctly; the images take turns by class.
    """
    rows = []
    for path, group in own_pgd20(models, structured=True).groupby("cell"):
        cell, ticket = str(path), model_of(str(path))
        assert isinstance(ticket, Ticket)
        by = outcomes_by("measure", group)
        right = by["natural"].nonzero()[0]
        trained_on = f"{curve_of(cell)[-1].train_accuracy:.1f}"
        how = [str(ticket.pattern), str(ticket.score_init), f"{replaced(cell):.1f}", trained_on]
        rows.append(
            [*how, *(_shown(by[m]) for m in ("natural", "robust")), str(len({*right % 10}))]
        )
    heads = ["pattern", "score_init", "replaced, %", "trained on, FGSM-RS", "natural, %"]
    return table([*heads, "PGD-20, %", "classes"], sorted(rows, reverse=True))


def auto_attack(runs: str) -> str:
    """Auto-Attack beside PGD-20 on the same images, in percent."""
    frame = cells(runs)
    own = frame[(frame["kind"] == "Evaluation") & (frame["measure"] == "robust")]
    rows = []
    for folder, group in own.groupby(own["cell"].str.rpartition("/")[0]):
        by = outcomes_by("attack", group)
        if "auto_attack" in by:
            strong = by["auto_attack"]
            weak = by["pgd20"][: len(strong)]
            numbers = [percent(weak), percent(strong), with_error(strong - weak, "+")]
            rows.append([*_trained(str(folder)), *numbers, str(len(strong))])
    heads = ["model", "initial lr", "epochs", "PGD-20", "Auto-Attack", "Auto-Attack less PGD-20"]
    return table([*heads, "images"], sorted(rows))


def batch_norm(file: str) -> str:
    """Accuracies with the batch-norm statistics of the search, and what new averages change."""
    rows = []
    for path, group in pd.read_csv(CELLS.parent / file).groupby("cell", sort=False):
        search = outcomes_by("measure", read_cells([CELLS / str(path)]))
        numbers = []
        for measure, anew in outcomes_by("measure", group).items():
            before = search[measure][: len(anew)]
            numbers += [percent(before), with_error(anew - before, "+")]
        rows.append([*_trained(str(path)), *numbers, f"{len(anew):,}"])
    heads = ["model", "initial lr", "epochs", "natural", "change", "PGD-20", "change"]
    return table([*heads, "images"], rows)


def _trained(cell: str) -> list[str]:
    """The model of a cell's path, its initial learning rate and its epochs."""
    curve = curve_of(cell)
    return [_label(model_of(cell)), f"{curve[0].lr:g}", str(len(curve))]


def summary(models: str) -> str:
    """What the run on all images has found, in sentences."""
    own = own_pgd20(models)
    best = _best(own[own["model"] == "rst"])
    dense = _best(own[own["model"] == "dense_adversarial"])
    long, dense_long = (
        _best(own_pgd20(models.replace("/", f"_{run}/"))) for run in ("long", "long_dense")
    )
    stopped, full = (matrices(cells(models))[attack] for attack in ("pgd20", "pgd20_full"))
    by = {one.attack: one for one in switches(models)}
    drawn, steps, eot = by["pgd20"], by["pgd20_full"], by["eot_pgd20"]
    return (
        "- **Tickets exist.** Subnetworks of random weights resist PGD-20 far above chance (10 %): "
        f"{best['robust']} %, where their adversarially trained dense has {dense['robust']} %. "
        f"Without attack they have {best['natural']} and {dense['natural']} %. In the paper the "
        "two are about equal. In 40 epochs instead of 15, the ticket's at ten times the learning "
        f"rate, they have {long['robust']} and {dense_long['robust']} % ({long['natural']} and "
        f"{dense_long['natural']} %).\n"
        "- **Attacks transfer poorly, if they stop early.** Images made on another ticket do "
        f"{damage(stopped)} of the damage that a ticket's own do. The released attack leaves an "
        f"image at its first success; with all 20 steps it is {damage(full)}.\n"
        "- **Switching helps, less against an adversary who knows all tickets.** R2S over three "
        f"tickets has {with_error(drawn.switch - drawn.tickets, '+')} points more than its tickets "
        f"alone, {with_error(steps.switch - steps.tickets, '+')} if the attack takes all steps, "
        f"{with_error(eot.switch - eot.tickets, '+')} under EOT. Compared with the dense on the "
        f"same images that is {with_error(drawn.switch - drawn.dense, '+')}, "
        f"{with_error(steps.switch - steps.dense, '+')} and "
        f"{with_error(eot.switch - eot.dense, '+')} points."
    )


def _best(own: pd.DataFrame) -> dict[str, str]:
    """Accuracies of the most robust of some models, with their errors."""
    robust = own[own["measure"] == "robust"].sort_values("value")
    rows = own[own["cell"] == robust["cell"].iloc[-1]]
    return {measure: with_error(one) for measure, one in outcomes_by("measure", rows).items()}


def paper_transfer(artifact: str) -> str:
    """The share of damage that transfers to the ticket whose natural accuracy the paper gives."""
    ticket, network = "0.2", ("resnet18/dense", "resnet18/rst@0.2")
    below = paper_values("text")[network[1], f"cifar10/natural/below/{network[0]}"]
    natural = paper_values("table3")[network[0], "cifar10/natural"] - below
    values = {row: v for (row, column), v in paper_values(artifact).items() if column == ticket}
    own = natural - values.pop(ticket)
    shares = [100 * (natural - value) / own for value in values.values()]
    return (
        f"In the paper images of other tickets do {min(shares):.0f} to {max(shares):.0f} % of the "
        "damage to the ticket that keeps a fifth [Figure 7, and its natural accuracy, 4.2], under "
        "the released attack: about as much as here."
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
    "r2s": r2s,
    "tried": tried,
    "score_inits": score_inits,
    "auto_attack": auto_attack,
    "batch_norm": batch_norm,
    "summary": summary,
    "features": features,
    "paper_transfer": paper_transfer,
}


def made(part: str) -> str | None:
    """What stands in a part of the pages, such as ``transfer cifar10_6k/resnet18_quarter``.

    None for what is made of no cells, which ``measurements.memory`` fills in.
    """
    name, _, models = part.partition(" ")
    return _TABLES[name](models) if models else None


def filled(text: str) -> str:
    """The document with every marked table made anew."""
    return measured_page.filled(text, made)


if __name__ == "__main__":
    DOCUMENT.write_text(filled(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    measured_page.fill(README, {SUMMARY: summary(SUMMARY.partition(" ")[2])})

"""What the tables are made of: the committed cells as frames, matrices, and outcomes by image."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from rst_core.curves import METRICS, Epoch, chosen, read_curve
from rst_core.identity import Model, Ticket, parse_model
from rst_core.models.files import load_model
from rst_core.models.masks import draw_scores, top_k_mask
from rst_core.models.networks import prunable_weights
from rst_core.vocabulary import Pattern, Selection
from workflow.artifacts.numbers.frame import read_cells
from workflow.artifacts.numbers.outcomes import (
    Shares,
    expected_outcomes,
    outcomes,
    transferred_damage,
)

CELLS = Path(__file__).parent / "cells"


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


def model_of(cell: str) -> Model:
    """The model of a cell's path."""
    return parse_model("/".join(cell.split("/")[:4]))


def curve_of(cell: str) -> list[Epoch]:
    """The training curve of the model of a cell's path."""
    return read_curve(CELLS / model_of(cell).path / METRICS)


def kept_epoch(cell: str) -> str:
    """Which epoch of how many was attacked: ``15``, or ``4 of 15``."""
    curve = curve_of(cell)
    kept = chosen(curve, Selection.BEST_VAL).epoch
    return str(kept) if kept == len(curve) else f"{kept} of {len(curve)}"


def replaced(cell: str) -> float:
    """Of a ticket's kept weights the percentage that its initial scores did not keep."""
    ticket, file = model_of(cell), (CELLS / cell).with_name("ticket.pt")
    assert isinstance(ticket, Ticket)
    kept = new = 0
    for name, weight in prunable_weights(load_model(file)).items():
        scores = draw_scores(weight, name, ticket.pattern, ticket.network.seed, ticket.score_init)
        first = top_k_mask(scores, ticket.keep_ratio).expand_as(weight)
        kept += int((weight != 0).sum())
        new += int(((weight != 0) & ~first.bool()).sum())
    return 100 * new / kept


def outcomes_by(column: str, frame: pd.DataFrame) -> dict[str, Shares]:
    """Which images each row's model classifies correctly, by the row's value in a column."""
    return {str(row[column]): outcomes(row) for row in _records(frame)}


def percent(values: Shares) -> str:
    """Mean over images in percent."""
    return f"{100 * values.mean():.1f}"


def with_error(values: Shares, sign: str = "") -> str:
    """Mean and standard error over images in percent, of shares or of paired differences."""
    percentages = 100 * values
    error = percentages.std(ddof=1) / sqrt(len(values))
    return f"{percentages.mean():{sign}.1f} ± {error:.1f}"


def matrices(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Transfer matrices by attack, rows attacked; the last row is natural accuracy."""
    found = {}
    rows = frame[frame["kind"] == "TransferRow"]
    for attack, group in rows.groupby("attack"):
        robust = group[group["measure"] == "robust"]
        matrix = robust.pivot_table(index="source_keep_ratio", columns="keep_ratio", values="value")
        natural = group[group["measure"] == "natural"].groupby("keep_ratio")["value"].first()
        found[str(attack)] = pd.concat([matrix, natural.to_frame("none").T])
    return found


def damage(matrix: pd.DataFrame) -> str:
    """Of the damage that a ticket's own images do, the shares that other tickets' images do."""
    values = matrix.to_numpy()
    return transferred_damage(values[:-1], values[-1])


class Switch(NamedTuple):
    """R2S under one attack, image by image, on as many images as all three have.

    Attributes:
        on: whether it was made on one ticket, which the adversary draws, or on all of them.
        switch: share of tickets that classify each image correctly.
        tickets: the same under PGD-20 on each ticket itself: without a switch.
        dense: 1 or 0 under PGD-20 on the dense.
    """

    attack: str
    on: str
    switch: Shares
    tickets: Shares
    dense: Shares


def switches(models: str) -> list[Switch]:
    """R2S under every attack, on one of its tickets and on the whole set."""
    frame = cells(models)
    robust = frame[frame["measure"] == "robust"]
    single = robust[robust["candidates"].isna()]
    own = single[(single["kind"] == "Evaluation") & (single["attack"] == "pgd20")]
    (dense,) = _records(own[own["model"] == "dense_adversarial"])
    tickets = own[own["model"].eq("rst") & own["pattern"].eq(Pattern.ELEMENT)]
    groups = [
        *single[single["kind"] == "TransferRow"].groupby("attack"),
        *robust[robust["candidates"].notna()].groupby("attack"),
    ]
    found = []
    for attack, group in groups:
        switch = expected_outcomes(_records(group))
        members = tickets[tickets["keep_ratio"].isin(group["keep_ratio"])]
        on = "all tickets" if group["candidates"].notna().any() else "one ticket"
        compared = switch, expected_outcomes(_records(members)), outcomes(dense)
        found.append(Switch(str(attack), on, *(shares[: len(switch)] for shares in compared)))
    return found


def _records(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.to_dict("records")

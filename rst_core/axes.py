"""The axes of the experiment matrix as columns: written into every cell file, read by tables."""

from __future__ import annotations

from typing import Any, assert_never

from rst_core.identity import (
    CandidateSet,
    Cell,
    Dense,
    Evaluation,
    FineTuned,
    Model,
    Ticket,
    TransferRow,
    Untrained,
)
from rst_core.vocabulary import Pattern


def model_kind(model: Model) -> str:
    """The word for a model in the config: dense_natural, rst, finetuned_inherited, …"""
    match model:
        case Untrained():
            return "untrained"
        case Dense():
            return "dense_adversarial" if model.adversary else "dense_natural"
        case Ticket() | CandidateSet():
            return model.origin.value
        case FineTuned():
            return f"finetuned_{model.start}"
        case _:
            assert_never(model)


def model_axes(model: Model) -> dict[str, Any]:
    """The axes of a model, None where it has none; ``trained_eps`` is in 1/255."""
    ticket = model.ticket if isinstance(model, FineTuned) else model
    one = ticket if isinstance(ticket, Ticket) else None
    many = ticket if isinstance(ticket, CandidateSet) else None
    masked = one or many
    adversary = None if isinstance(model, Untrained) else model.adversary
    axes: dict[str, Any] = {
        "dataset": model.network.dataset,
        "network": model.network.name,
        "init": model.network.init.value,
        "seed": model.network.seed,
        "model": model_kind(model),
        "keep_ratio": one.keep_ratio if one else None,
        "candidates": list(many.keep_ratios) if many else None,
        "pattern": masked.pattern.value if masked else None,
        "method": adversary.method.value if adversary else None,
        "trained_eps": adversary.eps if adversary else None,
        "pretrained_on": one.pretrained_on if one else None,
    }
    if one and one.pattern is not Pattern.ELEMENT:  # elsewhere, and in older cells, there is none
        axes["score_init"] = one.score_init.value
    return axes


def cell_axes(cell: Cell) -> dict[str, Any]:
    """The axes of a cell: those of its model, and how it is measured."""
    attacked = cell if isinstance(cell, Evaluation | TransferRow) else None
    return model_axes(cell.model) | {
        "selection": cell.selection.value if cell.selection else None,
        "attack": attacked.attack if attacked else None,
        "attack_eps": attacked.eps if attacked else None,
        "targets": cell.targets if isinstance(cell, TransferRow) else None,
    }

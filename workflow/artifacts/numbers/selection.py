"""From the tidy frame of all cells to the numbers of an artifact: which rows, and as what.

A :class:`Selector` says which measurements one number of a table, or one point of a curve, is
made of; :func:`evaluated` and its neighbours make one. :func:`tidy` turns numbers into the rows of
an artifact. Tables, curves and heatmaps all come this way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rst_core.measures.expected import expected_accuracy
from workflow.artifacts.numbers.frame import candidates
from workflow.artifacts.numbers.models import Models
from workflow.artifacts.numbers.summary import over_seeds, with_paper
from workflow.artifacts.numbers.suspicion import carried_flags
from workflow.matrix import Matrix

#: What a selector finds: one row a seed.
COLUMNS = ["seed", "value", "flags", "total"]

Rows = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True)
class Measure:
    """Natural accuracy (no attack), or accuracy under an attack of the config.

    ``eps`` is None for an attack without one.
    """

    attack: str | None = None
    eps: float | None = None

    @property
    def axes(self) -> dict[str, Any]:
        """The columns of the tidy frame that this measure is known by."""
        if not self.attack:
            return {"measure": "natural"}
        return {"measure": "robust", "attack": self.attack, "attack_eps": self.eps}


NATURAL = Measure()


@dataclass(frozen=True)
class Selector:
    """Says which rows of the tidy frame one number is made of.

    Attributes:
        models: the models that are judged.
        where: columns of the frame with their values, over those of the models; None asks for a
            missing value, a tuple allows any of its values.
        shown: what tells the number apart in an artifact's tidy rows.
        only: which of the rows count.
        needed: how many of these a seed must have; a seed with fewer is left out, not averaged
            over. 0 takes any number.
        mean: one value of a seed's rows.
    """

    models: Models
    where: Mapping[str, Any]
    shown: Mapping[str, Any]
    only: Rows = lambda rows: rows
    needed: int = 0
    mean: Callable[[pd.DataFrame], float] = lambda rows: float(rows["value"].mean())

    def rows(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """The rows, of all seeds."""
        selection = matrix.config.selection.value
        axes = self.models.columns(matrix) | {"candidates": None, "selection": selection}
        rows = matching(cells, axes | dict(self.where))
        rows = rows[rows["seed"].isin(self.models.seeds or matrix.config.seeds)]
        if "targets" in self.where:
            own = rows["source_seed"] == rows["seed"]
            rows = rows[~own] if self.where["targets"] == "other_seeds" else rows[own]
        return self.only(rows)

    def values(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """One row a seed with its ``value`` and the ``flags`` of all rows behind it."""
        found = [
            {
                "seed": int(str(seed)),
                "value": self.mean(own),
                "flags": carried_flags(own["flags"]),
                "total": own["total"].min(),
            }
            for seed, own in self.rows(cells, matrix).groupby("seed")
            if self.needed in (0, len(own))
        ]
        return pd.DataFrame(found, columns=COLUMNS)


def evaluated(models: Models, measure: Measure) -> Selector:
    """Accuracy of single models, natural or under an attack made on themselves."""
    shown = _shown(models, measure)
    if measure == NATURAL:
        return Selector(models, measure.axes, shown, most_images)
    return Selector(models, measure.axes | {"kind": "Evaluation"}, shown)


def transferred(
    source: Models, models: Models, measure: Measure, targets: str = "tickets"
) -> Selector:
    """Accuracy of models on images made against ``source``, of their network [6.1, E].

    Of the target group ``other_seeds`` a seed's value is the mean over the images of all other
    seeds' sources.
    """
    where = measure.axes | {"kind": "TransferRow", "targets": targets, "source_model": source.kind}
    if source.keep_ratio is not None:
        where["source_keep_ratio"] = source.keep_ratio
    shown = {"source": source.kind, "attack_keep_ratio": source.keep_ratio}
    return Selector(models, where, _shown(models, measure) | shown)


def switched(members: Models, keep_ratios: tuple[float, ...], measure: Measure) -> Selector:
    """R2S: attacker and defender each draw uniformly from a candidate set [6.2, B].

    Robust accuracy is the mean of the transfer matrix, natural accuracy the mean over the members,
    whose own keep ratio is ignored.
    """
    where = measure.axes | {"keep_ratio": keep_ratios}
    shown = _of_set(members, keep_ratios, measure)
    if measure == NATURAL:
        return Selector(members, where, shown, most_images, len(keep_ratios))
    where |= {"kind": "TransferRow", "targets": "tickets"}
    where |= {"source_model": members.kind, "source_keep_ratio": keep_ratios}
    return Selector(members, where, shown, needed=len(keep_ratios) ** 2, mean=_expected)


def adaptive(members: Models, keep_ratios: tuple[float, ...], measure: Measure) -> Selector:
    """R2S against an attack that sees the whole candidate set: the mean over members [6.3]."""
    where = measure.axes | {"keep_ratio": keep_ratios, "candidates": candidates(keep_ratios)}
    shown = _of_set(members, keep_ratios, measure)
    return Selector(members, where, shown, needed=len(keep_ratios))


def counted(models: Models, what: str = "kept") -> Selector:
    """Prunable weights of a model: ``all`` or those ``kept``, in millions, or the ``sparsity``.

    Sparsity is the percentage of weights that its mask removes.
    """

    def only(rows: pd.DataFrame) -> pd.DataFrame:
        rows = rows.dropna(subset=["parameters", "parameters_kept"]).drop_duplicates("seed")
        total, kept = (rows[c].astype(float) for c in ("parameters", "parameters_kept"))
        found = {"kept": kept / 1e6, "all": total / 1e6, "sparsity": 100 * (1 - kept / total)}
        return rows.assign(value=found[what], flags=None)

    shown = _shown(models, NATURAL) | {"measure": f"weights_{what}"}
    return Selector(models, {}, shown, only)


def distance(models: Models, noise_eps: float) -> Selector:
    """Feature distance of models at one magnitude of noise, in 1/255."""
    where: dict[str, Any] = {"measure": "feature_distance", "noise_eps": noise_eps}
    if models.kind == "untrained":
        where["selection"] = None
    shown = _shown(models, NATURAL) | {"measure": "feature_distance"}
    return Selector(models, where, shown)


@dataclass(frozen=True)
class Number:
    """One number of an artifact: its keys, and what it is made of.

    Attributes:
        row: key of the row, as in workflow/paper.
        column: key of the column, as in workflow/paper.
        selector: None for what the paper alone has.
        comparable: whether the paper's number of these keys measures the same thing.
        role: dataset role, where no selector says it.
    """

    row: str
    column: str
    selector: Selector | None
    comparable: bool = True
    role: str | None = None


def tidy(
    artifact: str, numbers: Iterable[Number], cells: pd.DataFrame, matrix: Matrix
) -> pd.DataFrame:
    """The rows of an artifact, in the order of ``numbers``.

    Columns: the keys, what a selector has ``shown``, mean, spread and number of seeds, the
    paper's number and the difference, the images that it rests on, and the flags of everything
    behind the number.
    """
    roles = matrix.config.roles
    rows: list[dict[str, Any]] = []
    for number in numbers:
        row: dict[str, Any] = {"row": number.row, "column": number.column, "role": number.role}
        values = pd.DataFrame(columns=COLUMNS)
        if number.selector is not None:
            row |= number.selector.shown
            row["dataset"] = roles.datasets[row["role"]]
            row["network"] = roles.networks[row["network_role"]]
            values = number.selector.values(cells, matrix)
        row |= over_seeds(values["value"]) | {"flags": carried_flags(values["flags"])}
        row["images"] = values["total"].min() if len(values) else None
        row["comparable"] = number.comparable
        rows.append(row)
    return with_paper(rows, artifact, matrix)


def matching(cells: pd.DataFrame, axes: Mapping[str, Any]) -> pd.DataFrame:
    """Rows that have these values, see :class:`Selector`."""
    # Column by column on what is left: a mask over the whole frame for every axis of every
    # number of every artifact would take minutes.
    left = np.arange(len(cells))
    for column, value in axes.items():
        found = cells[column].to_numpy()[left]
        if isinstance(value, tuple):
            left = left[pd.Series(found).isin(value).to_numpy()]
        else:
            left = left[pd.isna(found) if value is None else found == value]
    return cells.take(left)


def most_images(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a model: natural accuracy rides along with every attack, which may see only some."""
    rows = rows.sort_values(["total", "cell"], ascending=[False, True], kind="stable")
    return rows.drop_duplicates(["seed", "keep_ratio"])


def _expected(rows: pd.DataFrame) -> float:
    """R2S's accuracy from the rows of one seed's transfer matrix."""
    matrix = rows.pivot(index="source_keep_ratio", columns="keep_ratio", values="value")
    return expected_accuracy(matrix.to_numpy(dtype=np.float64))


def _shown(models: Models, measure: Measure) -> dict[str, Any]:
    return {
        "role": models.dataset,
        "network_role": models.network,
        "series": models.kind,
        "keep_ratio": models.keep_ratio,
        "measure": measure.axes["measure"],
        "attack": measure.attack,
        "attack_eps": measure.eps,
    }


def _of_set(members: Models, keep_ratios: tuple[float, ...], measure: Measure) -> dict[str, Any]:
    series = "r2s" if members.kind == "rst" else f"{members.kind}_r2s"
    own = {"series": series, "keep_ratio": None, "candidates": candidates(keep_ratios)}
    return _shown(members, measure) | own

"""From the tidy frame of all cells to the numbers of an artifact: which rows, and as what.

A :class:`Selector` says which measurements one number of a table, or one point of a curve, is
made of, and gives its value for every seed. :func:`tidy` turns numbers into the rows of an
artifact. Tables, curves and heatmaps all come this way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from rst_core.expected import expected_accuracy
from workflow.artifacts.summary import over_seeds, with_paper
from workflow.artifacts.suspicion import carried_flags
from workflow.config import Experiment
from workflow.matrix import Matrix

#: What a selector finds: one row a seed.
COLUMNS = ["seed", "value", "flags"]


@dataclass(frozen=True)
class Models:
    """The models of one point of the matrix over all seeds; axes it lacks are ignored.

    Attributes:
        network: role of the network.
        dataset: role of the dataset.
        kind: the word for the model in config.yaml, such as ``rst`` or ``dense_adversarial``.
        keep_ratio: of a ticket.
        eps: eps of search and training, in 1/255.
        pretrained_on: role of the dataset of a transferred RTT's dense.
        seeds: left out: the seeds of the whole matrix.
    """

    network: str
    dataset: str
    kind: str
    keep_ratio: float | None = None
    init: str = "signed_kaiming_constant"
    pattern: str = "element"
    method: str = "pgd7"
    eps: float = 8.0
    pretrained_on: str | None = None
    seeds: tuple[int, ...] | None = None

    def axes(self, matrix: Matrix) -> dict[str, Any]:
        """The columns of the tidy frame that these models are known by."""
        roles = matrix.config.roles
        axes: dict[str, Any] = {
            "dataset": roles.datasets[self.dataset],
            "network": roles.networks[self.network],
            "init": self.init,
            "model": self.kind,
        }
        if self.kind not in ("untrained", "dense_natural"):
            axes |= {"method": self.method, "trained_eps": self.eps}
        if self.kind.startswith(("rst", "rtt", "finetuned")):
            axes |= {"keep_ratio": self.keep_ratio, "pattern": self.pattern}
        if self.kind == "rtt_transferred":
            assert self.pretrained_on is not None
            axes["pretrained_on"] = roles.datasets[self.pretrained_on]
        return axes

    def judged(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """Rows of the frame that were measured on these models, attacks on whole sets aside."""
        return self._rows(cells, matrix, self.axes(matrix) | {"candidates": None})

    def members(self, cells: pd.DataFrame, matrix: Matrix, of: str | None = None) -> pd.DataFrame:
        """As :meth:`judged`, for all keep ratios, under attacks on the candidate set ``of``."""
        axes = self.axes(matrix) | {"candidates": of}
        axes.pop("keep_ratio")
        return self._rows(cells, matrix, axes)

    def _rows(self, cells: pd.DataFrame, matrix: Matrix, axes: dict[str, Any]) -> pd.DataFrame:
        rows = matching(cells, **axes, selection=matrix.config.selection.value)
        return rows[rows["seed"].isin(self.seeds or matrix.config.seeds)]


@dataclass(frozen=True)
class Measure:
    """Natural accuracy (no attack), or accuracy under an attack of the config.

    ``eps`` is None for an attack without one.
    """

    attack: str | None = None
    eps: float | None = None

    @property
    def name(self) -> str:
        """``natural`` or ``robust``, as in the tidy frame."""
        return "robust" if self.attack else "natural"

    def axes(self) -> dict[str, Any]:
        """The columns of the tidy frame that this measure is known by."""
        if not self.attack:
            return {"measure": "natural"}
        return {"measure": "robust", "attack": self.attack, "attack_eps": self.eps}


NATURAL = Measure()


class Selector(Protocol):
    """Says which measurements one number is made of."""

    def values(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """One row a seed with its ``value`` and the ``flags`` of all rows behind it."""

    def axes(self) -> dict[str, Any]:
        """What tells the number apart in an artifact's tidy rows."""


@dataclass(frozen=True)
class Evaluated:
    """Accuracy of single models, natural or under an attack made on themselves.

    Natural accuracy rides along with every attack; the one over most images counts, because an
    attack may see only the first of them.
    """

    models: Models
    measure: Measure

    def values(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """See :class:`Selector`."""
        rows = matching(self.models.judged(cells, matrix), **self.measure.axes())
        if self.measure == NATURAL:
            rows = _most_images(rows, ["seed"])
        else:
            rows = rows[rows["kind"] == "Evaluation"]
        return _mean_by_seed(rows)

    def axes(self) -> dict[str, Any]:
        """See :class:`Selector`."""
        return _described(self.models, self.measure)


@dataclass(frozen=True)
class Transferred:
    """Accuracy of models on images made against others of their network [6.1, E].

    Attributes:
        source: what the images were made against.
        models: what is judged.
        targets: the row's target group; under ``other_seeds`` a seed's value is the mean over
            the images of all other seeds' sources.
    """

    source: Models
    models: Models
    measure: Measure
    targets: str = "tickets"

    def values(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """See :class:`Selector`."""
        rows = matching(
            self.models.judged(cells, matrix),
            kind="TransferRow",
            targets=self.targets,
            source_model=self.source.kind,
            **self.measure.axes(),
        )
        if self.source.keep_ratio is not None:
            rows = rows[rows["source_keep_ratio"] == self.source.keep_ratio]
        own = rows["source_seed"] == rows["seed"]
        return _mean_by_seed(rows[~own] if self.targets == "other_seeds" else rows[own])

    def axes(self) -> dict[str, Any]:
        """See :class:`Selector`."""
        return _described(self.models, self.measure) | {
            "source": self.source.kind,
            "attack_keep_ratio": self.source.keep_ratio,
        }


@dataclass(frozen=True)
class Switched:
    """R2S: attacker and defender each draw uniformly from a candidate set [6.2, B].

    Robust accuracy is the mean of the transfer matrix, natural accuracy the mean over the
    members. A seed with a hole is left out, not averaged over.

    Attributes:
        members: the tickets; their keep ratio is ignored.
        keep_ratios: the candidate set.
    """

    members: Models
    keep_ratios: tuple[float, ...]
    measure: Measure

    def values(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """See :class:`Selector`."""
        rows = matching(self.members.members(cells, matrix), **self.measure.axes())
        rows = rows[rows["keep_ratio"].isin(self.keep_ratios)]
        if self.measure == NATURAL:
            rows = _most_images(rows, ["seed", "keep_ratio"])
            return _mean_by_seed(_complete(rows, len(self.keep_ratios)))
        rows = matching(rows, kind="TransferRow", targets="tickets", source_model=self.members.kind)
        rows = rows[rows["source_keep_ratio"].isin(self.keep_ratios)]
        rows = rows[rows["source_seed"] == rows["seed"]]
        return _mean_by_seed(_complete(rows, len(self.keep_ratios) ** 2), _expected)

    def axes(self) -> dict[str, Any]:
        """See :class:`Selector`."""
        return _described(self.members, self.measure) | _switch(self.members, self.keep_ratios)


@dataclass(frozen=True)
class Adaptive:
    """R2S against an attack that sees the whole candidate set: the mean over members [6.3]."""

    members: Models
    keep_ratios: tuple[float, ...]
    measure: Measure

    def values(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """See :class:`Selector`."""
        attacked = self.members.members(cells, matrix, candidates(self.keep_ratios))
        rows = matching(attacked, **self.measure.axes())
        return _mean_by_seed(_complete(rows, len(self.keep_ratios)))

    def axes(self) -> dict[str, Any]:
        """See :class:`Selector`."""
        return _described(self.members, self.measure) | _switch(self.members, self.keep_ratios)


@dataclass(frozen=True)
class Counted:
    """Prunable weights of a model: ``all`` or those ``kept``, in millions, or the ``sparsity``.

    Sparsity is the percentage of weights that its mask removes.
    """

    models: Models
    what: str = "kept"

    def values(self, cells: pd.DataFrame, matrix: Matrix) -> pd.DataFrame:
        """See :class:`Selector`."""
        rows = self.models.judged(cells, matrix).dropna(subset=["parameters", "parameters_kept"])
        rows = rows.drop_duplicates("seed")
        total, kept = (rows[c].astype(float) for c in ("parameters", "parameters_kept"))
        counted = {"kept": kept / 1e6, "all": total / 1e6, "sparsity": 100 * (1 - kept / total)}
        return _mean_by_seed(rows.assign(value=counted[self.what], flags=None))

    def axes(self) -> dict[str, Any]:
        """See :class:`Selector`."""
        return _described(self.models, NATURAL) | {"measure": f"weights_{self.what}"}


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

    Columns: the keys, the axes of :meth:`Selector.axes`, mean, spread and n over seeds, the
    paper's number and the difference, and the flags of everything behind the number.
    """
    roles = matrix.config.roles
    rows: list[dict[str, Any]] = []
    for number in numbers:
        row: dict[str, Any] = {"row": number.row, "column": number.column, "role": number.role}
        values = pd.DataFrame(columns=COLUMNS)
        if number.selector is not None:
            row |= number.selector.axes()
            row["dataset"] = roles.datasets[row["role"]]
            row["network"] = roles.networks[row["network_role"]]
            values = number.selector.values(cells, matrix)
        row |= over_seeds(values["value"]) | {"flags": carried_flags(values["flags"])}
        row["comparable"] = number.comparable
        rows.append(row)
    return with_paper(rows, artifact, matrix)


def experiment_axes(experiment: Experiment) -> dict[str, Any]:
    """An experiment's seeds, and its first init, pattern, search method and eps.

    As :class:`Models` takes them.
    """
    return {
        "seeds": tuple(experiment.seeds) if experiment.seeds else None,
        "init": experiment.inits[0].value,
        "pattern": experiment.patterns[0].value,
        "method": experiment.methods[0].value,
        "eps": experiment.eps[0],
    }


def candidates(keep_ratios: Iterable[float]) -> str:
    """A candidate set as keys and the tidy frame write it: ``0.05+0.1``."""
    return "+".join(f"{k:g}" for k in keep_ratios)


def matching(cells: pd.DataFrame, **axes: Any) -> pd.DataFrame:
    """Rows that have these values; None asks for a missing value."""
    # Column by column on what is left: a mask over the whole frame for every axis of every
    # number of every artifact would take minutes.
    left = np.arange(len(cells))
    for column, value in axes.items():
        found = cells[column].to_numpy()[left]
        left = left[pd.isna(found) if value is None else found == value]
    return cells.take(left)


def _most_images(rows: pd.DataFrame, each: list[str]) -> pd.DataFrame:
    """Of the rows of each model one that was measured on the most images."""
    rows = rows.sort_values(["total", "cell"], ascending=[False, True], kind="stable")
    return rows.drop_duplicates(each)


def _complete(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    """The rows of seeds that have all ``count`` of them."""
    counts = rows.groupby("seed").size()
    return rows[rows["seed"].isin(counts.index[counts == count])]


def _expected(rows: pd.DataFrame) -> float:
    """R2S's accuracy from the rows of one seed's transfer matrix."""
    matrix = rows.pivot(index="source_keep_ratio", columns="keep_ratio", values="value")
    return expected_accuracy(matrix.to_numpy(dtype=np.float64))


def _mean(rows: pd.DataFrame) -> float:
    return float(rows["value"].mean())


def _mean_by_seed(
    rows: pd.DataFrame, mean: Callable[[pd.DataFrame], float] = _mean
) -> pd.DataFrame:
    """One value for what remains within a seed, with the flags of all of it."""
    found = [
        {"seed": int(str(seed)), "value": mean(own), "flags": carried_flags(own["flags"])}
        for seed, own in rows.groupby("seed")
    ]
    return pd.DataFrame(found, columns=COLUMNS)


def _described(models: Models, measure: Measure) -> dict[str, Any]:
    return {
        "role": models.dataset,
        "network_role": models.network,
        "series": models.kind,
        "keep_ratio": models.keep_ratio,
        "measure": measure.name,
        "attack": measure.attack,
        "attack_eps": measure.eps,
    }


def _switch(members: Models, keep_ratios: tuple[float, ...]) -> dict[str, Any]:
    series = "r2s" if members.kind == "rst" else f"{members.kind}_r2s"
    return {"series": series, "keep_ratio": None, "candidates": candidates(keep_ratios)}

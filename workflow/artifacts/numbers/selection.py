"""From the tidy frame of all cells to the numbers of an artifact: which rows, and as what.

A :class:`Selector` says which measurements one number of a table, or one point of a curve, is
made of; :func:`evaluated` and its neighbours make one. :func:`tidy` turns numbers into the rows of
an artifact. Tables, curves and heatmaps all come this way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
import pandas as pd

from rst_core.axes import DEFAULTS
from rst_core.measures.expected import expected_accuracy
from workflow.artifacts.numbers.frame import candidates
from workflow.artifacts.numbers.keyed import Key, Keyed
from workflow.artifacts.numbers.models import ATTACK, Models
from workflow.artifacts.numbers.summary import Published, over_seeds, with_paper
from workflow.artifacts.numbers.suspicion import carried_flags
from workflow.matrix import Matrix

#: What a selector finds: one row a seed.
COLUMNS = ["seed", "value", "flags", "total"]

Row = Mapping[str, Any]


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
#: The paper's attack at the eps that models are searched and trained for.
ROBUST = Measure(ATTACK, DEFAULTS["trained_eps"])


@dataclass(frozen=True)
class Selector:
    """Says which rows of the tidy frame one number is made of.

    Attributes:
        keys: of the rows; a seed that lacks one is left out, not averaged over.
        shown: what tells the number apart in an artifact's tidy rows.
        seeds: left out: the seeds of the whole matrix.
        value: that of a seed, from its rows in the order of the keys.
    """

    keys: tuple[Key, ...]
    shown: Mapping[str, Any]
    seeds: Collection[int] | None = None
    value: Callable[[list[Row]], float] = lambda rows: float(np.mean([r["value"] for r in rows]))

    def rows(self, cells: Keyed) -> dict[int, list[Row]]:
        """The rows that there are, by seed."""
        found: dict[int, list[Row]] = {}
        for by_seed in map(cells.by_seed, self.keys):
            for seed in by_seed.keys() & set(self.seeds or cells.matrix.config.seeds):
                found.setdefault(seed, []).extend(by_seed[seed])
        return dict(sorted(found.items()))

    def values(self, cells: Keyed) -> pd.DataFrame:
        """One row a seed with its ``value`` and the ``flags`` of all rows behind it."""
        found = [
            {
                "seed": seed,
                "value": self.value(rows),
                "flags": carried_flags(row["flags"] for row in rows),
                "total": min(row["total"] for row in rows),
            }
            for seed, rows in self.rows(cells).items()
            if all(seed in cells.by_seed(key) for key in self.keys)
        ]
        return pd.DataFrame(found, columns=COLUMNS)


def evaluated(models: Models, measure: Measure) -> Selector:
    """Accuracy of single models, natural or under an attack made on themselves."""
    return Selector((models.key(**measure.axes),), _shown(models, measure), models.seeds)


def transferred(
    source: Models, models: Models, measure: Measure, targets: str = "tickets"
) -> Selector:
    """Accuracy of models on images made against ``source``, of their network [6.1, E].

    Of the target group ``other_seeds`` a seed's value is the mean over the images of all other
    seeds' sources.
    """
    how = measure.axes | _made_on(source.kind, source.keep_ratio, targets)
    shown = {"source": source.kind, "attack_keep_ratio": source.keep_ratio}
    return Selector((models.key(**how),), _shown(models, measure) | shown, models.seeds)


def switched(members: Models, keep_ratios: tuple[float, ...], measure: Measure) -> Selector:
    """R2S: attacker and defender each draw uniformly from a candidate set [6.2, B].

    Robust accuracy is the mean of the transfer matrix, natural accuracy the mean over the members,
    whose own keep ratio is ignored.
    """
    shown, ratios = _of_set(members, keep_ratios, measure), sorted(keep_ratios)
    if measure == NATURAL:
        keys = tuple(members.key(**measure.axes, keep_ratio=k) for k in ratios)
        return Selector(keys, shown, members.seeds)
    sources = [measure.axes | _made_on(members.kind, k, "tickets") for k in ratios]
    keys = tuple(members.key(**source, keep_ratio=k) for source in sources for k in ratios)
    return Selector(keys, shown, members.seeds, _expected)


def adaptive(
    members: Models, keep_ratios: tuple[float, ...], measure: Measure, targets: str | None = None
) -> Selector:
    """R2S against an attack that sees the whole candidate set: the mean over members [6.3].

    ``targets``: whose set the attack is made on, if not on their own.
    """
    how = measure.axes | {"candidates": candidates(keep_ratios)}
    how |= _made_on(members.kind, None, targets) if targets else {}
    keys = tuple(members.key(**how, keep_ratio=k) for k in sorted(keep_ratios))
    return Selector(keys, _of_set(members, keep_ratios, measure), members.seeds)


def counted(models: Models, what: str) -> Selector:
    """Prunable weights of a model: ``all`` or those ``kept``, in millions, or the ``sparsity``.

    Sparsity is the percentage of weights that its mask removes.
    """

    def value(rows: list[Row]) -> float:
        kept, total = (float(rows[0][name]) for name in ("parameters_kept", "parameters"))
        found = {"kept": kept / 1e6, "all": total / 1e6, "sparsity": 100 * (1 - kept / total)}
        return found[what]

    shown = _shown(models, NATURAL) | {"measure": f"weights_{what}"}
    return Selector((models.key(measure="parameters_kept"),), shown, models.seeds, value)


def distance(models: Models, noise_eps: float) -> Selector:
    """Feature distance of models at one magnitude of noise, in 1/255."""
    key = models.key(measure="feature_distance", noise_eps=noise_eps)
    shown = _shown(models, NATURAL) | {"measure": "feature_distance"}
    return Selector((key,), shown, models.seeds)


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
    artifact: str,
    numbers: Iterable[Number],
    cells: pd.DataFrame,
    matrix: Matrix,
    published: Published | None = None,
) -> pd.DataFrame:
    """The rows of an artifact, in the order of ``numbers``.

    Columns: the keys, what a selector has ``shown``, mean, spread and number of seeds, the
    paper's number and the difference, the images that it rests on, and the flags of everything
    behind the number. ``published``: see :func:`with_paper`.
    """
    keyed = Keyed.measured(cells, matrix)
    rows: list[dict[str, Any]] = []
    for number in numbers:
        row: dict[str, Any] = {"row": number.row, "column": number.column, "role": number.role}
        values = pd.DataFrame(columns=COLUMNS)
        if number.selector is not None:
            row |= number.selector.shown
            values = number.selector.values(keyed)
        row |= over_seeds(values["value"]) | {"flags": carried_flags(values["flags"])}
        row["images"] = values["total"].min() if len(values) else None
        row["comparable"] = number.comparable
        rows.append(row)
    return with_paper(rows, artifact, matrix, published)


def _made_on(kind: str, keep_ratio: float | None, targets: str) -> dict[str, Any]:
    """How images are made that are not made on what they are evaluated on."""
    own = "other" if targets == "other_seeds" else "own"
    source = {"source_model": kind, "source_keep_ratio": keep_ratio, "source_seed": own}
    return source | {"targets": targets}


def _expected(rows: list[Row]) -> float:
    """R2S's accuracy from the transfer matrix of one seed, source by source."""
    size = isqrt(len(rows))
    return expected_accuracy(np.reshape([float(row["value"]) for row in rows], (size, size)))


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

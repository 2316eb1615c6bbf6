"""The numbers that comparisons are made of: planned by a config, or measured in a tidy frame.

What the config plans goes through the same code as what was measured: the two cannot disagree.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from rst_core.axes import MODEL_COLUMNS, cell_axes, model_axes
from rst_core.identity import Cell, Evaluation, FeatureDistance, TransferRow
from rst_core.records import unpack_outcomes
from workflow.artifacts.numbers.frame import cell_rows
from workflow.matrix import Matrix

COUNTS = ("parameters", "parameters_kept")
Vector = np.ndarray[Any, np.dtype[Any]]

#: Axes of a number that say how a model is measured, not which one it is.
_HOW = (
    "measure", "attack", "attack_eps", "noise_eps", "targets", "source_model", "source_keep_ratio",
    "source_seed",
)  # fmt: skip
#: In the order in which a verdict names what a config lacks.
_FIELDS = dict.fromkeys(
    ("dataset", "network", "init", "model", "measure", *MODEL_COLUMNS, *_HOW, "candidates")
)
del _FIELDS["seed"]
if TYPE_CHECKING:
    _Fields = Any
else:
    _Fields = namedtuple("_Fields", _FIELDS, defaults=[None] * len(_FIELDS))


class Key(_Fields):  # type: ignore[misc]  # made of axes
    """One number for every seed, by the frame's columns; None where it has no such axis.

    ``source_seed`` is relative: ``own``, or ``other`` for a model of another seed.
    """

    __slots__ = ()

    @classmethod
    def of(cls, axes: Mapping[str, Any]) -> Key:
        """The key of a number with these axes, less those that its measure does not have.

        Natural accuracies and parameters belong to the model, whatever attacked it.
        """
        lacking = {"noise_eps"} if axes["measure"] != "feature_distance" else set()
        if axes["measure"] != "robust":
            lacking |= {"attack", "attack_eps", "targets", "candidates"}
        if axes["measure"] != "robust" or axes.get("targets") is None:
            lacking |= {"source_model", "source_keep_ratio", "source_seed"}
        return cls(**{axis: axes.get(axis) for axis in cls._fields if axis not in lacking})


class Address(NamedTuple):
    """What one side of a comparison is: a constant, or a mean over keys.

    Of several groups the smallest mean counts, image by image: the strongest attack.
    """

    groups: tuple[tuple[Key, ...], ...] = ()
    constant: float = 0.0

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of all groups."""
        return tuple(key for group in self.groups for key in group)

    @property
    def models(self) -> frozenset[Key]:
        """The models whose numbers these are, however they are measured."""
        return frozenset(key._replace(**dict.fromkeys(_HOW)) for key in self.keys)


class Sample(NamedTuple):
    """A number of one seed: percent of every image, a ratio of feature distances, or millions.

    Of feature distances only the mean is known, with its standard error over images.
    """

    images: Vector
    error: float = 0.0


@dataclass(frozen=True)
class Numbers:
    """Rows of the tidy frame by key and seed; several rows only for models of other seeds."""

    rows: Mapping[Key, Mapping[int, list[dict[str, Any]]]]
    matrix: Matrix
    _combined: dict[tuple[Address, int], Sample] = field(default_factory=dict)

    @cached_property
    def _roles(self) -> dict[str, dict[str, str]]:
        roles = self.matrix.config.roles
        datasets = dict.fromkeys(("dataset", "pretrained_on"), roles.datasets)
        return datasets | {"network": roles.networks}

    def played(self, axis: str, role: Any) -> Any:
        """What plays a role in the config, such as a stand-in; anything else as it is."""
        return self._roles.get(axis, {}).get(role, role)

    def by_seed(self, key: Key) -> Mapping[int, list[dict[str, Any]]]:
        """The rows of a key with roles."""
        names = {axis: self.played(axis, getattr(key, axis)) for axis in self._roles}
        return self.rows.get(key._replace(**names), {})

    def has(self, keys: Iterable[Key]) -> bool:
        """Whether there is a number for every key."""
        return all(self.by_seed(key) for key in keys)

    def counts(self, address: Address) -> dict[int, int]:
        """For every seed that has all keys: how many rows there are."""
        found = [self.by_seed(key) for key in address.keys]
        seeds = set.intersection(*map(set, found)) if found else set()
        return {seed: sum(len(f[seed]) for f in found) for seed in sorted(seeds)}

    def sample(self, address: Address, seed: int) -> Sample:
        """The number of a seed that has all keys."""
        if (found := self._combined.get((address, seed))) is None:
            groups = [[self.by_seed(key)[seed] for key in keys] for keys in address.groups]
            if len(groups) > 1:  # every source of an attack is one that the adversary may choose
                groups = [[[row] for row in one] for g in groups for one in zip(*g, strict=True)]
            means = [combined([_sample(row) for rows in group for row in rows]) for group in groups]
            found = combined(means, np.min)
            if len(address.keys) > 1:  # single ones would fill the memory
                self._combined[address, seed] = found
        return found


def combined(samples: list[Sample], how: Any = np.mean) -> Sample:
    """Mean or minimum, image by image on the images that all have."""
    if len(samples) == 1:
        return samples[0]
    total = min(len(s.images) for s in samples)
    images = how([s.images[:total] for s in samples], axis=0)
    return Sample(images, float(np.mean([s.error for s in samples])))


def _sample(row: dict[str, Any]) -> Sample:
    value = float(row["value"])
    if row["measure"] in COUNTS:
        return Sample(np.array([value]))
    if row.get("outcomes") is None:
        error = (row.get("deviation") or np.nan) / np.sqrt(row["total"])
        return Sample(np.array([value]), error)
    packed = {"correct": round(value * row["total"] / 100), "total": int(row["total"])}
    images = unpack_outcomes({**packed, "outcomes": row["outcomes"]})
    return Sample(images.astype(np.float32) * 100)


def measured(cells: pd.DataFrame, matrix: Matrix) -> Numbers:
    """The numbers of a tidy frame; rows of another epoch than the config's are left out."""
    kept = cells[cells["selection"].isna() | (cells["selection"] == matrix.config.selection.value)]
    return index(kept.astype(object).where(kept.notna(), None).to_dict("records"), matrix)


def planned(matrix: Matrix) -> Numbers:
    """The numbers that the config's cells will have."""
    cells = matrix.all_cells()
    return index((row for c in cells for row in cell_rows(empty_record(c, matrix))), matrix)


def index(rows: Iterable[Mapping[Any, Any]], matrix: Matrix) -> Numbers:
    """Rows of the tidy frame by key and seed."""
    found: dict[Key, dict[int, list[dict[str, Any]]]] = {}
    for row in map(dict, rows):
        seed = int(row["seed"])
        known = found.setdefault(key_of(row), {}).setdefault(seed, [])
        if row["measure"] == "natural" and known:
            # It rides along with every attack; the one over most images counts.
            row = max(known.pop(), row, key=lambda r: r["total"])
        known.append(row)
        for count in COUNTS:
            if row.get(count) is not None:
                counted = {**row, "measure": count, "value": row[count] / 1e6, "flags": None}
                found.setdefault(key_of(counted), {})[seed] = [counted]
    return Numbers(found, matrix)


def key_of(row: Mapping[str, Any]) -> Key:
    """The key of a row of the tidy frame."""
    own = row.get("source_seed") == row["seed"]
    return Key.of({**row, "source_seed": "own" if own else "other"})


def empty_record(cell: Cell, matrix: Matrix) -> dict[str, Any]:
    """What a cell's file will be like."""
    record: dict[str, Any] = {"cell": cell.path, "kind": type(cell).__name__}
    record["axes"] = cell_axes(cell)
    if isinstance(cell, FeatureDistance):
        noises = {e for x in matrix.config.experiments.values() for e in x.feature_distance}
        return record | {"results": [{"eps": e, "mean": 0.0, "total": 1} for e in sorted(noises)]}
    assert isinstance(cell, Evaluation | TransferRow)
    if isinstance(cell, TransferRow):
        models = [target.model for target in matrix.targets(cell)]
    else:
        models = getattr(cell.model, "tickets", [cell.model])
    one = {"correct": 0, "total": 1}
    result = {"natural": one, "robust": one, **dict.fromkeys(COUNTS, 0)}
    return record | {"results": [{"axes": model_axes(model), **result} for model in models]}

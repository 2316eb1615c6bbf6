"""The numbers that comparisons are made of: planned by a config, or measured in a tidy frame.

What the config plans goes through the same code as what was measured: the two cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from rst_core.axes import cell_axes, model_axes
from rst_core.identity import Cell, Evaluation, FeatureDistance, TransferRow
from workflow.artifacts.numbers.frame import cell_rows
from workflow.artifacts.numbers.keyed import COUNTS, HOW, Key, Keyed
from workflow.artifacts.numbers.outcomes import outcomes
from workflow.matrix import Matrix

Vector = np.ndarray[Any, np.dtype[Any]]


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
        return frozenset(key._replace(**dict.fromkeys(HOW)) for key in self.keys)


class Sample(NamedTuple):
    """A number of one seed: percent of every image, a ratio of feature distances, or millions.

    Of feature distances only the mean is known, with its standard error over images.
    """

    images: Vector
    error: float = 0.0


@dataclass(frozen=True)
class Numbers(Keyed):
    """Rows of the tidy frame by key, and the numbers of addresses."""

    _combined: dict[tuple[Address, int], Sample] = field(default_factory=dict)

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
    return Sample(outcomes(row).astype(np.float32) * 100)


def planned(matrix: Matrix) -> Numbers:
    """The numbers that the config's cells will have."""
    cells = matrix.all_cells()
    rows = (row for cell in cells for row in cell_rows(empty_record(cell, matrix)))
    return Numbers.of(rows, matrix)


def empty_record(cell: Cell, matrix: Matrix) -> dict[str, Any]:
    """What a cell's file will be like."""
    record: dict[str, Any] = {"cell": cell.path, "kind": type(cell).__name__}
    record["axes"] = cell_axes(cell)
    if isinstance(cell, FeatureDistance):
        return record | {
            "results": [{"eps": e, "mean": 0.0, "total": 1} for e in matrix.noise_grid]
        }
    assert isinstance(cell, Evaluation | TransferRow)
    if isinstance(cell, TransferRow):
        models = [target.model for target in matrix.targets(cell)]
    else:
        models = getattr(cell.model, "tickets", [cell.model])
    one = {"correct": 0, "total": 1}
    result = {"natural": one, "robust": one, **dict.fromkeys(COUNTS, 0)}
    return record | {"results": [{"axes": model_axes(model), **result} for model in models]}

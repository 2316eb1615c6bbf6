"""The tidy frame by key: of which model, measured how. Tables, figures and claims ask here."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from rst_core.axes import MODEL_COLUMNS, owned
from workflow.matrix import Matrix

if TYPE_CHECKING:
    import pandas as pd

#: Measures that are counts of weights, in millions.
COUNTS = ("parameters", "parameters_kept")
#: Axes of a number that say how a model is measured, not which one it is.
HOW = (
    "measure", "attack", "attack_eps", "noise_eps", "targets", "source_model", "source_keep_ratio",
    "source_seed",
)  # fmt: skip
#: In the order in which a verdict names what a config lacks.
_FIELDS = dict.fromkeys(
    ("dataset", "network", "init", "model", "measure", *MODEL_COLUMNS, *HOW, "candidates")
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

    @classmethod
    def asked(cls, axes: Mapping[str, Any]) -> Key:
        """The key of a number that is asked for with more axes than its kind of model may have."""
        return cls.of({**axes, **owned(axes)})

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Key:
        """The key of a row of the tidy frame."""
        own = row.get("source_seed") == row["seed"]
        return cls.of({**row, "source_seed": "own" if own else "other"})


#: Rows of the tidy frame by seed; several of one seed only for models of other seeds.
BySeed = Mapping[int, list[dict[str, Any]]]


@dataclass(frozen=True)
class Keyed:
    """Rows of the tidy frame by key and seed."""

    rows: Mapping[Key, BySeed]
    matrix: Matrix

    @classmethod
    def of(cls, rows: Iterable[Mapping[Any, Any]], matrix: Matrix) -> Self:
        """Rows of the tidy frame by key and seed, and what they count."""
        found: dict[Key, dict[int, list[dict[str, Any]]]] = {}
        for row in map(dict, rows):
            seed = int(row["seed"])
            known = found.setdefault(Key.of_row(row), {}).setdefault(seed, [])
            if row["measure"] == "natural" and known:
                # It rides along with every attack; the one over most images counts.
                row = max(known.pop(), row, key=lambda r: r["total"])
            known.append(row)
            for count in COUNTS:
                if row.get(count) is not None:
                    counted = {**row, "measure": count, "value": row[count] / 1e6, "flags": None}
                    found.setdefault(Key.of_row(counted), {}).setdefault(seed, [counted])
        return cls(found, matrix)

    @classmethod
    def measured(cls, cells: pd.DataFrame, matrix: Matrix) -> Self:
        """Those of a tidy frame; rows of another epoch than the config's are left out."""
        selection = cells["selection"]
        kept = cells[selection.isna() | (selection == matrix.config.selection.value)]
        return cls.of(kept.astype(object).where(kept.notna(), None).to_dict("records"), matrix)

    @cached_property
    def _roles(self) -> dict[str, dict[str, str]]:
        roles = self.matrix.config.roles
        datasets = dict.fromkeys(("dataset", "pretrained_on"), roles.datasets)
        return datasets | {"network": roles.networks}

    def name_in_role(self, axis: str, role: Any) -> Any:
        """What plays a role in the config, such as a stand-in; anything else as it is."""
        return self._roles.get(axis, {}).get(role, role)

    def by_seed(self, key: Key) -> BySeed:
        """The rows of a key with roles."""
        names = {axis: self.name_in_role(axis, getattr(key, axis)) for axis in self._roles}
        return self.rows.get(key._replace(**names), {})

    def has(self, keys: Iterable[Key]) -> bool:
        """Whether there is a number for every key."""
        return all(self.by_seed(key) for key in keys)

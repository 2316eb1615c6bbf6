"""The key of a cell: a digest of everything that its result depends on.

A file whose recorded key is not the one that is asked for is stale, whatever its name and its
time say. Imports no torch: the workflow asks for thousands of keys before it starts a job.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any

from rst_core.document import converted
from rst_core.identity import (
    CandidateSet,
    Cell,
    Evaluation,
    FeatureDistance,
    FineTuned,
    Ticket,
    Trained,
    TransferRow,
    Untrained,
)
from rst_core.settings import AttackSpec, DatasetSettings, NetworkSettings, TrainingSettings
from rst_core.storage import checksum
from rst_core.vocabulary import CheckpointLayout

#: Version of the science. Raised by hand, with a line in CHANGELOG.md, when the same settings
#: give other results than before: every file made by an earlier version is stale from then on.
SCIENCE = 2


def cell_key(
    path: str, settings: Mapping[str, Any], dataset: str, bases: Mapping[str, str | None]
) -> str:
    """Hex digest of what determines a cell's result, the code aside but for :data:`SCIENCE`.

    Args:
        path: the cell's path below the folder of all cells, which is its identity.
        settings: plain values; where data lies and how a job runs do not belong here.
        dataset: digest of the dataset's images and labels, from its manifest.
        bases: keys of the models that it is made from, by path; None for one not made here.
    """
    inputs = {
        "science": SCIENCE,
        "cell": path,
        "settings": canonical(settings),
        "dataset": dataset,
        "bases": dict(bases),
    }
    return checksum(inputs)


def canonical(value: Any) -> Any:
    """8 and 8.0 are one number, tuples and lists one sequence."""
    if isinstance(value, Mapping):
        return {str(name): canonical(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(part) for part in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def same(one: object, other: object) -> bool:
    """Whether two values are the same JSON: unlike in Python, 1 is not true."""
    return checksum(canonical(one)) == checksum(canonical(other))


def _agrees(recorded: object, rebuilt: object) -> bool:
    if not isinstance(recorded, dict) or not isinstance(rebuilt, dict):
        return same(recorded, rebuilt)
    return all(name in rebuilt and _agrees(part, rebuilt[name]) for name, part in recorded.items())


def bases_of(model: Trained) -> list[Trained]:
    """The models that a model starts from: its ticket, and the dense under it."""
    bases: list[Trained] = [model.ticket] if isinstance(model, FineTuned) else []
    ticket = model.ticket if isinstance(model, FineTuned) else model
    if isinstance(ticket, Ticket) and ticket.dense is not None:
        bases.append(ticket.dense)
    return bases


def sources_of(cell: Evaluation | TransferRow | FeatureDistance) -> list[Trained]:
    """The models that a cell is measured on, by whatever adversary it has."""
    if isinstance(cell.model, CandidateSet):
        return list(cell.model.tickets)
    return [] if isinstance(cell.model, Untrained) else [cell.model]


def named(cell: Cell) -> dict[str, Any]:
    """The settings of an attack that its cell's identity holds; none of other cells."""
    if not isinstance(cell, Evaluation | TransferRow):
        return {}
    return {"name": cell.attack, "eps": cell.eps, "seed": cell.model.network.seed}


#: What the settings of each kind of cell are of, beside its dataset: its results depend on them.
TRAINING = {"network": NetworkSettings, "training": TrainingSettings}
IMPORT = {"network": NetworkSettings, "layout": CheckpointLayout, "sha256": str}
ATTACK = {"attack": AttackSpec, "batch_size": int}
FEATURES = {"network": NetworkSettings, "eps_grid": tuple[float, ...]}


def cell_settings(dataset: DatasetSettings, **parts: Any) -> dict[str, Any]:
    """The settings of a cell, such as :data:`TRAINING`, as they come back from JSON."""
    described = asdict(dataset)
    # Where the same data lies is a matter of the machine.
    del described["path"]
    found = {name: _described(part) for name, part in parts.items()} | {"dataset": described}
    plain: dict[str, Any] = json.loads(json.dumps(found))
    return plain


def _described(part: Any) -> Any:
    if isinstance(part, AttackSpec):
        return part.described()
    return asdict(part) if is_dataclass(part) and not isinstance(part, type) else part


def read_settings(recorded: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The objects in recorded settings, ``dataset`` among them.

    Raises ``ValueError`` or ``KeyError`` unless this version would record them the same. A setting
    that was added since has its default there, and no record of it.
    """
    kinds = {**kinds, "dataset": DatasetSettings}
    found = {n: converted(recorded[n], kind, f"settings.{n}") for n, kind in kinds.items()}
    if not _agrees(recorded, cell_settings(**found)):
        raise ValueError("its settings are not those that it was made with")
    return found


@dataclass(frozen=True)
class Inputs:
    """What a result is made of, which its file records.

    Attributes:
        settings: see :func:`cell_settings`.
        dataset_digest: of the images and labels, from the manifest; None for what was made by
            hand, which has no key and is never fresh.
        bases: digests of the contents of the model files that it is made from, by cell path.
        keys: the keys of these, None for a model that was not made here.
    """

    settings: dict[str, Any] = field(default_factory=dict)
    dataset_digest: str | None = None
    bases: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str | None] = field(default_factory=dict)

    def key(self, path: str) -> str | None:
        """The key of the cell of this path."""
        if self.dataset_digest is None:
            return None
        return cell_key(path, self.settings, self.dataset_digest, self.keys)

    def record_fields(self, path: str, bases: str) -> dict[str, Any]:
        """This as a part of the cell's file, in which ``bases`` names the models."""
        return {
            "key": self.key(path),
            "science": SCIENCE,
            "settings": self.settings,
            "dataset_digest": self.dataset_digest,
            bases: self.bases,
            "keys": self.keys,
        }

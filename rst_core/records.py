"""Cell files: one JSON a cell, with every image's outcome, its axes and what it was made of.

Imports neither torch nor numpy: tables and plans read thousands of these.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rst_core.axes import AXES, DEFAULTS, cell_axes, model_axes
from rst_core.identity import (
    Evaluation,
    FeatureDistance,
    TrainingCell,
    TransferRow,
    parse_cell,
    parse_model,
    split_cell_path,
)
from rst_core.key import ATTACK, FEATURES, SCIENCE, Inputs, named, read_settings, same, sources_of
from rst_core.settings import AttackSpec
from rst_core.storage import IMPOSSIBLE, DamagedFileError, is_digest, read_json
from rst_core.vocabulary import Precision

if TYPE_CHECKING:
    import numpy as np

FORMAT = 2

_KEYS = {
    "format", "kind", "cell", "axes", "key", "science", "settings", "dataset_digest", "models",
    "keys", "images", "results", "provenance",
}  # fmt: skip
_ATTACK_KEYS = {"queries", "checks"}
_RESULT_KEYS = {"model", "axes", "natural", "robust", "parameters", "parameters_kept"}
_SYMPTOMS = {"images", "zero_gradient", "rerun_difference", "probabilities", "correct_at_64"}


def pack_outcomes(outcomes: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any]:
    """N booleans as counts with base64-packed bits."""
    import numpy as np

    return {
        "correct": int(outcomes.sum()),
        "total": len(outcomes),
        "outcomes": base64.b64encode(np.packbits(outcomes).tobytes()).decode(),
    }


def unpack_outcomes(packed: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """The booleans that :func:`pack_outcomes` packed; ``ValueError`` if they are none."""
    import numpy as np

    # Out of a data frame they may come as floats.
    counts = {name: int(packed[name]) for name in ("correct", "total")}
    _check_outcomes({**packed, **counts}, counts["total"])
    bits = np.frombuffer(base64.b64decode(packed["outcomes"]), dtype=np.uint8)
    return np.unpackbits(bits, count=counts["total"]).astype(bool)


def pack_counts(counts: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Any]:
    """N counts as their sum with base64-packed little-endian 32-bit integers."""
    return {
        "sum": int(counts.sum()),
        "total": len(counts),
        "counts": base64.b64encode(counts.astype("<i4").tobytes()).decode(),
    }


def unpack_counts(packed: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The counts that :func:`pack_counts` packed; ``ValueError`` if they are none."""
    import numpy as np

    _check_counts(packed, packed["total"])
    return np.frombuffer(base64.b64decode(packed["counts"]), dtype="<i4").astype(np.int64)


def cell_record(
    cell: Evaluation | TransferRow | FeatureDistance,
    inputs: Inputs,
    images: Mapping[str, int],
    results: Sequence[dict[str, Any]],
    provenance: Mapping[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """What the file of a cell holds.

    Args:
        images: how many were ``attacked``, and how many the ``test_set`` has.
        results: one for each evaluated model, or for each eps of feature distances.
        provenance: where, when and with what it was computed.
        more: an attack's ``queries`` and ``checks``.
    """
    with_axes = [r | {"axes": _axes(r["model"])} if "model" in r else r for r in results]
    return {
        "format": FORMAT,
        "kind": type(cell).__name__,
        "cell": cell.path,
        "axes": cell_axes(cell),
        **inputs.record_fields(cell.path, "models"),
        "images": dict(images),
        "results": with_axes,
        **more,
        "provenance": dict(provenance),
    }


def read_cell(path: Path) -> dict[str, Any]:
    """The record in a cell file, all of it verified.

    Raises ``FileNotFoundError``; ``DamagedFileError`` if it is not as it was written, is another
    cell's, or says what cannot be; ``OtherVersionError`` if another version wrote it.
    """
    record = read_json(path, "", FORMAT)
    try:
        _check_cell(path, record)
    except IMPOSSIBLE as error:
        raise DamagedFileError(path, error) from None
    return record


def check_named(path: Path, identity: str) -> None:
    """Raise ``ValueError`` if a path names another cell than the file holds; it may name none."""
    if path.as_posix().endswith(f"/{identity}"):
        return
    try:
        named = split_cell_path(path.as_posix())[1].path
    except ValueError:
        return
    _require(named == identity, f"it holds {identity}")


def _check_cell(path: Path, record: dict[str, Any]) -> None:
    cell = _cell(record["cell"])
    if isinstance(cell, TrainingCell):
        raise ValueError("it holds the name of a model")
    check_named(path, cell.path)
    _require(
        record["kind"] == type(cell).__name__,
        f"its kind is {record['kind']!r}, which its name is not",
    )
    _complete(record, cell_axes(cell), "its axes do not match its name")
    attacked = not isinstance(cell, FeatureDistance)
    _check_keys(record.keys() - (_ATTACK_KEYS if attacked else set()), "it", _KEYS)
    images = record["images"]
    _check_keys(images, "images", {"attacked", "test_set"})
    count = _integer(images["attacked"], "images attacked", 1)
    _integer(images["test_set"], "images of the test set", count)
    if isinstance(cell, FeatureDistance):
        _check_features(record, count)
    else:
        _check_attack(cell, record, count)
    targets = [result["model"] for result in record["results"]] if attacked else []
    _check_models(cell, targets, record)
    check_inputs(cell.path, record, "models")
    _check_provenance(record["provenance"])


def _check_attack(cell: Evaluation | TransferRow, record: dict[str, Any], count: int) -> None:
    spec = _spec(json.dumps(record["settings"]))
    own = all(getattr(spec, name) == value for name, value in named(cell).items())
    _require(own, "its settings describe another attack")
    test_set = record["images"]["test_set"]
    _require(
        count == min(spec.images or test_set, test_set),
        f"{count} attacked images do not match its settings",
    )
    for result in record["results"]:
        _check_result(result, count)
    if "queries" in record:
        _check_counts(record["queries"], count)
    if "checks" in record:
        _check_symptoms(record["checks"], count)


@cache
def _spec(text: str) -> AttackSpec:
    """The attack of an attack cell's settings, all of them checked; few cells have others."""
    found = read_settings(json.loads(text), ATTACK)
    _integer(found["batch_size"], "batch_size", 1)
    spec: AttackSpec = found["attack"]
    return spec


def _check_result(result: dict[str, Any], count: int) -> None:
    _check_keys(result, "a result", _RESULT_KEYS)
    _complete(result, _axes(result["model"]), "the axes of a result do not match its model")
    for measure in ("natural", "robust"):
        _check_outcomes(result[measure], count)
    parameters = _integer(result["parameters"], "parameters", 1)
    _integer(result["parameters_kept"], "parameters_kept", 0, parameters)


def _check_features(record: dict[str, Any], count: int) -> None:
    results = record["results"]
    grid = read_settings(record["settings"], FEATURES)["eps_grid"]
    _require(count == record["images"]["test_set"], "it covers only a part of the test set")
    _require(
        same([r["eps"] for r in results], list(grid)),
        "its noise magnitudes do not match its settings",
    )
    for result in results:
        _check_keys(result, "a result", {"eps", "mean", "deviation", "total"})
        for name in ("eps", "mean", "deviation"):
            _number(result[name], name)
        _require(same(result["total"], count), f"total is {result['total']!r} of {count} images")


def _check_models(
    cell: Evaluation | TransferRow | FeatureDistance, targets: list[str], record: dict[str, Any]
) -> None:
    """That the record's models are the cell's sources and the targets of its results."""
    own = [model.path for model in sources_of(cell)]
    if isinstance(cell, Evaluation):
        _require(targets == own, "its results belong to other models")
    _require(len(set(targets)) == len(targets), "it lists a model twice")
    found = [_cell(path) for path in record["models"]]
    _require(all(isinstance(c, TrainingCell) for c in found), "it lists files that are not models")
    paths = [c.model.path for c in found]
    _require(
        sorted(paths) == sorted({*own, *targets}), "its models do not match its sources and results"
    )
    chosen = {c.selection for c in found if c.model.path in own}
    _require(chosen <= {cell.selection}, "its models have another selection")


def check_inputs(path: str, record: Mapping[str, Any], bases: str) -> None:
    """Raise ``ValueError`` unless what a file says it is made of gives its key.

    ``bases`` is what the record calls the models that it is made from. Files without a key were
    made before there were any, or by hand: they are never fresh.
    """
    contents, keys, key = record[bases], record["keys"], record["key"]
    _require(set(contents) == set(keys), "its keys do not match its models")
    digests = [*contents.values(), record["dataset_digest"], key]
    none = (None,) if key is None else ()
    _require(all(d in none or is_digest(d) for d in digests), "it holds an invalid digest")
    _require(all(k is None or is_digest(k) for k in keys.values()), "it holds an invalid key")
    _integer(record["science"], "science", 0)
    if key is not None and record["science"] == SCIENCE:
        made = Inputs(record["settings"], record["dataset_digest"], contents, keys)
        _require(made.key(path) == key, "its key does not match its recorded inputs")


def _check_outcomes(packed: Mapping[str, Any], count: int) -> None:
    _check_keys(packed, "outcomes", {"correct", "total", "outcomes"})
    total = _integer(packed["total"], "total", 1)
    _require(total == count, f"outcomes of {total} images where {count} were attacked")
    bits = base64.b64decode(packed["outcomes"], validate=True)
    number = int.from_bytes(bits)
    padding = 8 * len(bits) - total
    fits = 0 <= padding < 8 and number & ((1 << padding) - 1) == 0
    _require(fits, f"its packed outcomes are not of {total} images")
    found, correct = number.bit_count(), _integer(packed["correct"], "correct", 0)
    _require(found == correct, f"outcomes hold {found} correct images, the count says {correct}")


def _check_counts(packed: Mapping[str, Any], count: int) -> None:
    _check_keys(packed, "queries", {"sum", "total", "counts"})
    data = base64.b64decode(packed["counts"], validate=True)
    total = _integer(packed["total"], "total", 1)
    _require(total == count and len(data) == 4 * total, f"its counts are not of {count} images")
    counts = struct.unpack(f"<{total}i", data)
    added = _integer(packed["sum"], "sum", 0)
    _require(min(counts) >= 0 and sum(counts) == added, f"counts add up to {sum(counts)}")


def _check_symptoms(checks: dict[str, Any], count: int) -> None:
    _check_keys(checks, "checks", _SYMPTOMS)
    images = _integer(checks["images"], "checks.images", 1, count)
    _integer(checks["zero_gradient"], "checks.zero_gradient", 0, images)
    _number(checks["rerun_difference"], "checks.rerun_difference")
    _number(checks["correct_at_64"], "checks.correct_at_64", images)
    _require(isinstance(checks["probabilities"], bool), "checks.probabilities is not a boolean")


def _check_provenance(provenance: dict[str, Any]) -> None:
    for name in ("rst_core", "revision", "torch", "python", "device", "started", "finished"):
        _require(isinstance(provenance[name], str), f"{name} is {provenance[name]!r}")
    for name in ("started", "finished"):
        datetime.fromisoformat(provenance[name])
    _number(provenance["wall_seconds"], "wall_seconds")
    # Files from before this was recorded do not say it.
    precision = provenance.get("precision", Precision.FLOAT32)
    _require(precision == Precision.FLOAT32, f"it was measured in {precision}")


def _require(condition: bool, found: str) -> None:
    if not condition:
        raise ValueError(found)


def _check_keys(part: Iterable[str], name: str, keys: set[str]) -> None:
    _require(set(part) == keys, f"{name} has the keys {', '.join(part)}")


def _integer(value: Any, name: str, low: int, high: float = math.inf) -> int:
    _require(type(value) is int and low <= value <= high, f"{name} is {value!r}")
    return int(value)


def _number(value: Any, name: str, high: float = math.inf) -> float:
    right = type(value) in (int, float) and math.isfinite(value) and 0 <= value <= high
    _require(right, f"{name} is {value!r}")
    return float(value)


def _complete(part: dict[str, Any], own: dict[str, Any], problem: str) -> None:
    """Check axes, and add those that are younger than the file: its models have the default."""
    young = [axis.name for axis in AXES if axis.later and axis.name not in part["axes"]]
    part["axes"] |= {name: own[name] for name in young if own.get(name) == DEFAULTS[name]}
    _require(same(part["axes"], own), problem)


_cell = cache(parse_cell)


@cache
def _axes(path: str) -> dict[str, Any]:
    return model_axes(parse_model(path))

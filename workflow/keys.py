"""Whether a result is what the config asks for now: its key, and the contents it was made from.

Asked by Snakemake's plan, by ``rst plan`` and ``rst status``, and by everything that reads
cells. Imports no torch and reads no image: 5,000 cells take seconds.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from rst_core.identity import Cell
from rst_core.key import canonical, cell_key
from rst_core.records import read_cell
from rst_core.storage import MODEL, FileError, checksum, read_header
from workflow.failures import is_in_place
from workflow.matrix import Matrix

#: Why a cell is missing although there is a file: it says that the cell failed.
FAILED = "failed when it was tried last"


class State(StrEnum):
    """What there is of a cell."""

    MISSING = "missing"
    STALE = "stale"
    FRESH = "fresh"


@dataclass(frozen=True)
class CellStatus:
    """The state of a cell.

    Attributes:
        state: whether its file is there, and is what the config asks for.
        reason: why a file that is there is not, in words.
        digest: of a fresh file's record: its key and its contents.
    """

    state: State
    reason: str = ""
    digest: str = ""


_MISSING = CellStatus(State.MISSING)


class StaleError(ValueError):
    """Results that were to be shown are not what the config asks for."""


class Keys:
    """Keys and states of the cells of a matrix; a file is read once.

    Args:
        matrix: the config's.
        dataset: digest of a dataset's images by its name; None while they are not there.
        root: folder that holds ``results``.
    """

    def __init__(
        self, matrix: Matrix, dataset: Callable[[str], str | None], root: Path = Path()
    ) -> None:
        self._matrix = matrix
        self._dataset = dataset
        self._root = root
        self._keys: dict[str, str | None] = {}
        self._statuses: dict[str, CellStatus] = {}
        self._records: dict[str, Mapping[str, Any]] = {}

    def key(self, cell: Cell) -> str | None:
        """The key that a cell must have; None while a dataset that it needs is not there.

        Raises:
            ConfigError: if the config has no such cell.
        """
        if cell.path not in self._keys:
            settings = self._matrix.settings(cell)
            dataset = self._dataset(cell.model.network.dataset)
            bases = {base.path: self.key(base) for base in self._matrix.input_models(cell)}
            known = dataset is not None and None not in bases.values()
            key = cell_key(cell.path, settings, dataset or "", bases) if known else None
            self._keys[cell.path] = key
        return self._keys[cell.path]

    def state(self, cell: Cell) -> State:
        """Whether a cell is there and is what the config asks for."""
        return self.status(cell).state

    def status(self, cell: Cell) -> CellStatus:
        """The state of a cell, with the reason."""
        if cell.path not in self._statuses:
            self._statuses[cell.path] = self._check(cell)
        return self._statuses[cell.path]

    def _check(self, cell: Cell) -> CellStatus:
        path = self._root / self._matrix.file(cell)
        if not path.is_file():
            return _MISSING
        try:
            record = _read(path)
        except (OSError, FileError) as error:
            reason = str(error).removeprefix(f"{path} ").removeprefix("is ")
            return CellStatus(State.STALE, reason.partition(";")[0])
        if not record:
            return CellStatus(State.MISSING, FAILED)
        self._records[cell.path] = record
        if reason := self._reason_stale(cell, record):
            return CellStatus(State.STALE, reason)
        return CellStatus(State.FRESH, digest=f"{record['key']} {record['contents']}")

    def _reason_stale(self, cell: Cell, record: Mapping[str, Any]) -> str:
        """Why a record is not what is wanted; empty if it is."""
        wanted = self.key(cell)
        if wanted is None:
            return "the images of its dataset are not there"
        same = record["key"] == wanted
        if not same:
            settings = self._matrix.settings(cell)
            if clauses := ", ".join(_differences(record["settings"], settings)):
                return f"made with {clauses}"
        for base in self._matrix.input_models(cell):
            below = self.status(base)
            if below.state is State.STALE:
                return f"the model below it is stale: {below.reason}"
            contents = record["models"].get(base.path)
            if below.state is State.FRESH and contents != self._records[base.path]["contents"]:
                return "the model below it was made again, with other contents"
        if same:
            return ""
        if record["dataset_digest"] != self._dataset(cell.model.network.dataset):
            return "made on other images"
        return "made by another version of rst_core (SCIENCE), or from models with other settings"

    def digest(self, cells: Iterable[Cell]) -> str | None:
        """What tells apart two sets of results; None unless all are fresh."""
        found = [f"{cell.path} {self.status(cell).digest}" for cell in cells]
        fresh = all(self.state(cell) is State.FRESH for cell in cells)
        return hashlib.sha256("\n".join(found).encode()).hexdigest() if fresh else None


def shown_key(keys: Keys, matrix: Matrix, cells: Iterable[Cell]) -> str | None:
    """What tells apart two versions of what shows cells: code, config, published numbers, cells.

    None unless all cells are fresh. Drawing all takes under a minute, so that all code counts.
    """
    results = keys.digest(cells)
    config = matrix.config.model_dump_json()
    return results and hashlib.sha256(f"{_code()}\n{config}\n{results}".encode()).hexdigest()


@cache
def _code() -> str:
    """Digest of the code of the workflow and of rst_core, and of the paper's numbers."""
    root = Path(__file__).parents[1]
    patterns = ("workflow/**/*.py", "workflow/**/*.html", "workflow/paper/*", "rst_core/**/*.py")
    found = hashlib.sha256()
    for path in sorted(path for pattern in patterns for path in root.glob(pattern)):
        if path.is_file():
            found.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    """What a cell or model file says of itself; a model's tensors are not looked at.

    Nothing if it says that the cell failed. ``models`` are digests of the contents of the model
    files that it was made from.
    """
    if path.suffix != ".json":
        header = read_header(path, MODEL)
        return {**header, "models": header["bases"]}
    try:
        record = read_cell(path)
    except FileError:
        if is_in_place(path):
            return {}
        raise
    said = {name: record[name] for name in ("key", "models", "settings", "dataset_digest")}
    return {**said, "contents": checksum(record)}


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """A clause for every setting that differs: "lr 0.05, the config says 0.1"."""
    for name in dict.fromkeys([*found, *wanted]):
        was, now = found.get(name), wanted.get(name)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _differences(was, now)
        elif canonical(was) != canonical(now):
            yield f"{name} {canonical(was)}, the config says {canonical(now)}"


def stale_text(stale: Mapping[str, str]) -> str:
    """Which results are stale and why, grouped.

    Args:
        stale: reasons by file.
    """
    if not stale:
        return ""
    plural = "result is" if len(stale) == 1 else "results are"
    lines = [f"{len(stale):,} {plural} stale and made again:"]
    for reason, count in Counter(stale.values()).most_common():
        example = next(path for path, why in stale.items() if why == reason)
        lines.append(f"  {count:,}  {reason} ({example}{', …' if count > 1 else ''})")
    return "\n".join(lines)

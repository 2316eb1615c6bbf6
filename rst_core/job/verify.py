"""``rst verify``: every file below a results folder, checked by the reader of its kind."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rst_core.curves import curve_of, curve_path
from rst_core.data.manifest import read_manifest
from rst_core.identity import split_cell_path
from rst_core.models.files import read_model
from rst_core.pages import stamped
from rst_core.records import read_cell
from rst_core.storage import CHECKPOINT, MODEL, FileError, StaleFileError, load_tensors, read_header


def verify(folder: Path) -> int:
    """Check all files of ours below a folder; returns the exit status.

    Prints one sentence for each file that is wrong, and at the end how many were checked.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} does not exist, or is no folder; give that of results")
    checked, wrong = 0, 0
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        check = _check_of(path)
        if check is None or hidden or _is_failure(path, parts) or not path.is_file():
            continue
        checked += 1
        try:
            check(path)
        except FileError as error:
            wrong += 1
            print(error, flush=True)
    print(f"{checked} files checked, {wrong} wrong", file=sys.stderr)
    return 1 if wrong else 0


def _check_of(path: Path) -> Callable[[Path], object] | None:
    """What raises ``FileError`` unless a file is right; None for a file that is not ours."""
    match path.suffix:
        case ".pt":
            return _check_tensors
        case ".html" if "pages" in path.parent.parts:
            return stamped
        case ".json" if path.parent.name == "data":
            return read_manifest
        case ".json" if "cells" in path.parent.parts:
            return lambda path: _check_bases(path, read_cell(path), "models")
        case _:
            return None


def _is_failure(path: Path, parts: Sequence[str]) -> bool:
    """Whether a file is where the workflow writes down that a cell or a dataset failed."""
    above = itertools.takewhile(lambda part: part not in ("cells", "data"), parts)
    return path.suffix == ".json" and "failed" in above


def _check_tensors(path: Path) -> None:
    kind = read_header(path)["kind"]
    if kind == MODEL:
        header = read_model(path).header
        _check_bases(path, header, "bases")
        # A missing curve is no error: model files may be copied without it.
        if "curve" in header["provenance"] and curve_path(path).is_file():
            curve_of(path)
        return
    load_tensors(path, kind)
    if kind != CHECKPOINT:
        raise FileError(f"{path} holds {kind}, which does not belong among results")


def _check_bases(path: Path, record: dict[str, Any], bases: str) -> None:
    try:
        root = Path(split_cell_path(path.as_posix())[0])
    except ValueError as error:
        raise FileError(f"{path} is where no cell is: {error}") from None
    for base, contents in record[bases].items():
        # A model that is not there, such as one that was not copied along, is no fault.
        if contents and (root / base).is_file():
            found = read_header(root / base, MODEL)["contents"]
            if found != contents:
                raise StaleFileError(
                    f"{path} was made from another {base} than the one that is there; delete it "
                    "to have it made again"
                )

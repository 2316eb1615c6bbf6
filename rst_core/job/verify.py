"""``rst verify``: every file below a results folder, checked by the reader of its kind."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rst_core.curves import METRICS, curve_of
from rst_core.data.manifest import read_manifest
from rst_core.identity import split_cell_path
from rst_core.job.checkpoint import KIND
from rst_core.models.files import read_model
from rst_core.pages import stamped
from rst_core.records import read_cell
from rst_core.storage import FileError, StaleFileError, load_tensors, read_header


def verify(folder: Path) -> int:
    """Check all files of ours below a folder; returns the exit status.

    Prints one sentence for each file that is wrong, and at the end how many were checked.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} does not exist, or is no folder; give that of results")
    checked, wrong = 0, 0
    for path in files(folder):
        checked += 1
        try:
            check(path)
        except FileError as error:
            wrong += 1
            print(error, flush=True)
    print(f"{checked} files checked, {wrong} wrong", file=sys.stderr)
    return 1 if wrong else 0


def files(folder: Path) -> Iterator[Path]:
    """Files of ours below a folder, by their places."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        ours = path.suffix == ".pt" or (path.suffix in (".json", ".html") and _named(path))
        if ours and not hidden and not _is_failure(path, parts) and path.is_file():
            yield path


def _named(path: Path) -> bool:
    """Whether a file is where a page, a cell or a dataset's manifest belongs."""
    if path.suffix == ".html":
        return "pages" in path.parent.parts
    return path.parent.name == "data" or "cells" in path.parent.parts


def _is_failure(path: Path, parts: Sequence[str]) -> bool:
    """Whether a file is where the workflow writes down that a cell or a dataset failed."""
    above = itertools.takewhile(lambda part: part not in ("cells", "data"), parts)
    return path.suffix == ".json" and "failed" in above


def check(path: Path) -> None:
    """Raise ``FileError`` unless a file is right, and of the models that are there now."""
    if path.suffix == ".html":
        stamped(path)
        return
    if path.suffix == ".json":
        if path.parent.name == "data":
            read_manifest(path)
        else:
            _check_bases(path, read_cell(path), "models")
        return
    match read_header(path)["kind"]:
        case "Model":
            header = read_model(path).header
            _check_bases(path, header, "bases")
            # As with a model below: a curve that was not copied along says nothing.
            if "curve" in header["provenance"] and (path.parents[1] / METRICS).is_file():
                curve_of(path)
        case kind:
            load_tensors(path, kind)
            if kind != KIND:
                raise FileError(f"{path} holds {kind}, which does not belong among results")


def _check_bases(path: Path, record: dict[str, Any], bases: str) -> None:
    try:
        root = Path(split_cell_path(path.as_posix())[0])
    except ValueError as error:
        raise FileError(f"{path} is where no cell is: {error}") from None
    for base, contents in record[bases].items():
        # A model that is not there, such as one that was not copied along, is no fault.
        if contents and (root / base).is_file():
            found = read_header(root / base, "Model")["contents"]
            if found != contents:
                raise StaleFileError(
                    f"{path} was made from another {base} than the one that is there; delete it "
                    "to have it made again"
                )

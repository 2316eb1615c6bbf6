"""Finished results, kept under a second name for a job that finds its outputs gone.

A workflow engine deletes a job's outputs before it starts the job and when the job fails,
also those of cells that were finished: by an earlier job that nobody waited for any more,
or beside the one cell of a batch that failed. With a folder to keep them in, a finished
result gets a second name there (a hard link: no space, no time), and whoever makes the same
cell of the same inputs with the same code takes it back instead of computing it again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rst_core.files import atomic_path, load_tensors
from rst_core.progress import say


@cache
def _code() -> str:
    """Digest of this package's source: a result of other code is not taken back."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted(folder.rglob("*.py")):
        digest.update(source.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(source.read_bytes())
    return digest.hexdigest()


def key_of(inputs: str) -> str:
    """Hex digest of everything that a result depends on: its inputs, and the code."""
    return hashlib.sha256(f"{_code()} {inputs}".encode()).hexdigest()


def _key_in(path: Path) -> str | None:
    """The key that a model or cell file was made with; None if it is no whole file of ours."""
    try:
        if path.suffix == ".json":
            stored = json.loads(path.read_text(encoding="utf-8"))
        else:
            stored = load_tensors(path)
        key: str | None = stored["provenance"].get("key")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return key


@dataclass(frozen=True)
class Finished:
    """Where finished results are kept.

    Attributes:
        folder: of the second names; None keeps nothing.
        root: folder of all cells, whose layout ``folder`` repeats.
    """

    folder: Path | None
    root: Path

    def keep(self, outputs: Sequence[Path]) -> None:
        """Give outputs a second name."""
        if self.folder is None:
            return
        for output in outputs:
            _link(output, self.folder / output.relative_to(self.root))

    def found(self, outputs: Sequence[Path], key: str, in_place: bool) -> bool:
        """Whether all outputs of this key exist; puts back those that are only kept.

        Args:
            outputs: of one cell.
            key: what they must have been made with.
            in_place: whether outputs that are where they belong count, too: they were made
                by another job while this one waited for it.
        """
        sources = []
        for output in outputs:
            kept = None if self.folder is None else self.folder / output.relative_to(self.root)
            places = [output] if in_place else []
            places += [kept] if kept else []
            source = next((place for place in places if _key_in(place) == key), None)
            if source is None:
                return False
            sources.append(source)
        for output, source in zip(outputs, sources, strict=True):
            if source != output:
                _link(source, output)
            say(f"{output} was finished before: kept")
        return True


def _link(source: Path, target: Path) -> None:
    """A second name for a file, whole or not at all; a copy where there are no hard links."""
    with atomic_path(target) as temporary:
        temporary.unlink()
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        # A result that is put back is as new as its job: engines compare times.
        os.utime(temporary)

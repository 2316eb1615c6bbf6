"""The digests of datasets, known before any job starts.

A manifest says of which image settings and of which files it is. Where the config or the files
say otherwise, the images are read now, so that a plan is exact: touched or copied images change
nothing, other images under the same path make everything on them stale.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rst_core.data.manifest import read_manifest
from rst_core.data.source_files import are_there, fingerprint
from rst_core.storage import FileError
from workflow import failures
from workflow.config import ConfigError
from workflow.matrix import Matrix


class Datasets:
    """Digests of the datasets of a matrix; each is looked at once.

    Args:
        matrix: the config's.
        write: whether a manifest that is missing or out of date is written, asked when one
            is; a dry run leaves all as it is.
        root: folder that holds ``results``.
    """

    def __init__(self, matrix: Matrix, write: Callable[[], bool], root: Path = Path()) -> None:
        self._matrix = matrix
        self._write = write
        self._root = root
        self._digests: dict[str, str | None] = {}

    def digest(self, name: str) -> str | None:
        """Digest of a dataset's images and of how they are used; None while they are not there.

        Raises:
            ConfigError: if the images are there and cannot be read.
        """
        if name not in self._digests:
            self._digests[name] = self._look(name)
        return self._digests[name]

    def _look(self, name: str) -> str | None:
        settings = self._matrix.dataset(name).images
        path = self._root / self._matrix.manifest(name)
        manifest = None
        with suppress(OSError, FileError):
            manifest = read_manifest(path)
        there = are_there(settings)
        # Where the files lie is a matter of the machine. Images that were removed after everything
        # was made are missed by no result.
        if (
            manifest
            and replace(manifest.settings, path=settings.path) == settings
            and (not there or manifest.files == fingerprint(settings))
        ):
            return manifest.digest
        if not there:
            return None
        if self._write():
            digest = self._make(name, path)
            record = failures.record_of(Path(self._matrix.manifest(name)), self._matrix.results)
            (self._root / record).unlink(missing_ok=True)
            return digest
        with tempfile.TemporaryDirectory() as folder:
            return self._make(name, Path(folder, path.name))

    def _make(self, name: str, path: Path) -> str:
        print(f"reading the images of {name}: they are new or have changed", file=sys.stderr)
        command = [sys.executable, "-m", "rst_core", "data", str(path.absolute())]
        made = subprocess.run(
            [*command, "--settings", self._matrix.images_document(name)],
            cwd=self._root,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            lines = made.stderr.strip().splitlines() or ["no reason was given"]
            raise ConfigError(f"datasets.{name}: {lines[-1]}")
        return read_manifest(path).digest

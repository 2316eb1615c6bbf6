"""The project in a folder: its config as Snakemake reads it, and which results are there."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rst_core.identity import Cell
from workflow.config import ConfigError, read_config, read_yaml
from workflow.images import Datasets
from workflow.keys import Keys, State
from workflow.matrix import Matrix
from workflow.plan.images import ImageCounts, PlanError, image_counts
from workflow.plan.operations import Counter


class Project:
    """A matrix and the folder of its results.

    Attributes:
        root: folder that holds ``config.yaml`` and ``results``.
        matrix: of the config files.
        count: operations of a network.
        images: counts of a dataset's images, by its name.
        keys: states of cells.

    Args:
        root: see above.
        configfiles: what differs from ``config.yaml``, as in ``snakemake --configfile``.

    Raises:
        PlanError: if there is no config, or it cannot be used.
    """

    def __init__(self, root: Path, configfiles: Sequence[Path] = ()) -> None:
        self.root = root
        self._files = [root / "config.yaml", *configfiles]
        raw: dict[str, Any] = {}
        for path in self._files:
            raw = _updated(raw, _read(path))
        try:
            self.matrix = Matrix(read_config(raw))
        except ConfigError as error:
            raise PlanError(f"the config cannot be used:\n{error}") from None
        self.count = Counter(root / ".snakemake/operations.json")
        self.images = cache(self._images)
        datasets = Datasets(self.matrix, lambda: False, root)
        self.keys = Keys(self.matrix, datasets.digest, root)

    def _images(self, dataset: str) -> ImageCounts:
        settings = self.matrix.config.datasets[dataset].images
        return image_counts(settings, self.root / self.matrix.manifest(dataset))

    def finished(self, cell: Cell) -> float | None:
        """When a cell's file was written, in seconds since 1970; None if it is missing or stale."""
        if self.keys.state(cell) is not State.FRESH:
            return None
        return os.stat(self.root / self.matrix.file(cell)).st_mtime

    @property
    def label(self) -> str:
        """The config files, for headings."""
        return " + ".join(map(str, [self._files[0].name, *self._files[1:]]))


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise PlanError(
            f"{path} cannot be read; run this in the root of the repository, where config.yaml is"
        )
    try:
        return read_yaml(path)
    except ConfigError as error:
        raise PlanError(str(error)) from None


def _updated(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One config over another as Snakemake does it: keys of keys are merged, all else replaced."""
    merged = {
        key: _updated(below[key], value)
        for key, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
    }
    return {**below, **above, **merged}

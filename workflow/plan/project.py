"""The project in a folder: its config as Snakemake reads it, and what its results say."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from workflow.config import ConfigError, read_config
from workflow.matrix import Matrix
from workflow.plan.calibration import PlanError
from workflow.plan.sizes import ImageCounts, image_counts


class Project:
    """A matrix and the folder of its results.

    Args:
        root: folder that holds ``config.yaml`` and ``results``.
        configfiles: what differs from ``config.yaml``, as in ``snakemake --configfile``.

    Raises:
        PlanError: if there is no config, or it cannot be used.
    """

    def __init__(self, root: Path, configfiles: Sequence[Path] = ()) -> None:
        self.root = root
        self.files = [root / "config.yaml", *configfiles]
        raw: dict[str, Any] = {}
        for path in self.files:
            raw = _updated(raw, _read(path))
        try:
            self.matrix = Matrix(read_config(raw))
        except ConfigError as error:
            raise PlanError(f"the config cannot be used:\n{error}") from None
        self.images = cache(self._images)

    def _images(self, dataset: str) -> ImageCounts:
        settings = self.matrix.config.datasets[dataset].images
        return image_counts(dataset, settings, self.root / "results/data")

    @property
    def label(self) -> str:
        """The config files, for headings."""
        return " + ".join(path.name if i == 0 else str(path) for i, path in enumerate(self.files))

    def stand_ins(self) -> dict[str, str]:
        """Datasets in roles that stand in for the paper's, and for which."""
        entries = self.matrix.config.datasets
        used = dict.fromkeys(self.matrix.config.roles.datasets.values())
        return {name: entries[name].stand_in_for for name in used if entries[name].stand_in_for}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError:
        raise PlanError(
            f"{path} cannot be read; run this in the root of the repository, where config.yaml is"
        ) from None
    except yaml.YAMLError as error:
        raise PlanError(f"{path} is no YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(found, dict):
        raise PlanError(f"{path} holds no keys; allowed are those of config.yaml")
    return found


def _updated(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One config over another as Snakemake does it: keys of keys are merged, all else replaced."""
    result = copy.deepcopy(dict(below))
    for key, value in above.items():
        old = result.get(key)
        merge = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = _updated(old, value) if merge else copy.deepcopy(value)  # type: ignore[arg-type]
    return result

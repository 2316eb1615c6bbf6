"""The project in a folder: its config as Snakemake reads it, its images, and its results."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from snakemake.utils import update_config

from rst_core.data.manifest import DIGITS, OFFICIAL, read_manifest
from rst_core.data.source_files import split_folders
from rst_core.identity import Cell
from rst_core.storage import FileError
from rst_core.vocabulary import Source
from workflow.config import ConfigError, read_config, read_yaml
from workflow.images import Datasets
from workflow.keys import Keys, State, stale_text
from workflow.matrix import Matrix
from workflow.plan.operations import Counter


class PlanError(ValueError):
    """Nothing can be planned; the message is one sentence with what to do."""


@dataclass(frozen=True)
class ImageCounts:
    """Images of a dataset's splits, and a remark if the numbers are a guess."""

    train: int
    validation: int
    test: int
    remark: str = ""


class Project:
    """A matrix and the folder of its results.

    Attributes:
        root: folder that holds ``config.yaml`` and ``results``.
        matrix: of ``config.yaml`` and what differs from it, as in ``snakemake --configfile``.
        count: operations of a network.
        images: counts of a dataset's images, by its name.
        keys: states of cells.

    Raises:
        PlanError: if there is no config, or it cannot be used.
    """

    def __init__(self, root: Path, configfiles: Sequence[Path] = ()) -> None:
        self.root = root
        self._files = [root / "config.yaml", *configfiles]
        raw: dict[str, Any] = {}
        for path in self._files:
            update_config(raw, _read(path))
        try:
            self.matrix = Matrix(read_config(raw))
        except ConfigError as error:
            raise PlanError(f"the config cannot be used:\n{error}") from None
        self.count = Counter(root / ".snakemake/operations.json")
        self.images = cache(self._images)
        datasets = Datasets(self.matrix, lambda: False, root)
        self.keys = Keys(self.matrix, datasets.digest, root)

    def _images(self, dataset: str) -> ImageCounts:
        """From the dataset's manifest, else from what is known of it, else from its folder.

        Raises:
            PlanError: if none of them says.
        """
        manifest = self.root / self.matrix.manifest(dataset)
        with suppress(OSError, FileError):  # one that cannot be read is made again by the workflow
            found = read_manifest(manifest).images
            return ImageCounts(found["train"], found["validation"], found["test"])
        settings, remark = self.matrix.config.datasets[dataset].images, ""
        if settings.source is Source.DIGITS:
            train, test = DIGITS
        elif settings.source is Source.TORCHVISION:
            *_, train, test = OFFICIAL[settings.variant.lower()]
        else:
            train, test = _in_folder(Path(settings.path))
        if not train and settings.classes == 1000:
            *_, train, test = OFFICIAL["imagenet"]
            remark = f"{dataset} is taken to have the {train:,} and {test:,} images of ILSVRC 2012"
        elif not train:
            raise PlanError(
                f"the number of images of {dataset} is not known yet; "
                f"'snakemake {manifest}' counts them"
            )
        held = settings.validation_images
        return ImageCounts(train - held, held, test, remark)

    def written_at(self, cell: Cell) -> float | None:
        """When a cell's file was written, in seconds since 1970; None if it is missing or stale."""
        if self.keys.state(cell) is not State.FRESH:
            return None
        return os.stat(self.root / self.matrix.file(cell)).st_mtime

    def stale(self, cells: Iterable[Cell]) -> str:
        """Which of these are stale and why, as text; empty if none is."""
        statuses = {self.matrix.file(cell): self.keys.status(cell) for cell in cells}
        return stale_text({p: s.reason for p, s in statuses.items() if s.state is State.STALE})

    @property
    def label(self) -> str:
        """The config files, for headings."""
        return " + ".join(map(str, [self._files[0].name, *self._files[1:]]))


def _in_folder(folder: Path) -> tuple[int, int]:
    """Training and test images of an image folder; none if it is not there."""
    train, test = (sum(1 for _ in half.glob("*/*.*")) for half in split_folders(folder))
    return train, test


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise PlanError(
            f"{path} does not exist; name a file that does, and run this in the root of the "
            "repository, where config.yaml is"
        )
    try:
        return read_yaml(path)
    except ConfigError as error:
        raise PlanError(str(error)) from None

"""What one job makes, of what, and whether it is made already. Imports no torch."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from rst_core.data.manifest import Manifest
from rst_core.identity import (
    CandidateSet,
    Cell,
    Dense,
    Evaluation,
    FeatureDistance,
    Ticket,
    Trained,
    TrainingCell,
    TransferRow,
)
from rst_core.job.log import log
from rst_core.key import (
    ATTACK,
    FEATURES,
    IMPORT,
    TRAINING,
    Inputs,
    bases_of,
    cell_settings,
    named,
    sources_of,
)
from rst_core.ranges import Range, check_ranges, option, require
from rst_core.records import read_cell
from rst_core.settings import AttackSpec, NetworkSettings, TrainingSettings, check_fits
from rst_core.storage import MODEL, FileError, check_tensors, file_digest, read_header
from rst_core.vocabulary import CheckpointLayout, Selection


@dataclass(frozen=True)
class Recipe(ABC):
    """One job: the cells that it makes, and all that they depend on but the code.

    ``root`` is the folder of all cells, ``data`` the manifest of their dataset. ``PARTS`` are the
    settings in a cell's key (:mod:`rst_core.key`); fields with a help text are flags.
    """

    PARTS: ClassVar[Mapping[str, Any]]

    @classmethod
    def sections(cls) -> dict[str, type]:
        """Its settings by their names in a document; "" is the top level."""
        parts = cls.PARTS.items()
        return {n: of for n, of in parts if isinstance(of, type) and is_dataclass(of)} | {"": cls}

    root: Path
    data: Manifest

    @property
    @abstractmethod
    def cells(self) -> Sequence[Cell]:
        """What is made; a training makes a model for every selection."""

    @property
    def bases(self) -> Sequence[TrainingCell]:
        """The models that the cells are made from."""
        return ()

    def __post_init__(self) -> None:
        check_ranges(self)
        dataset = self.cells[0].model.network.dataset
        if self.data.name != dataset:
            raise ValueError(
                f"--data is the manifest of {self.data.name}, and {self.cells[0].path} is on "
                f"{dataset}; give the manifest of {dataset}"
            )

    @property
    def outputs(self) -> list[Path]:
        """The files that are made."""
        return [self.root / cell.path for cell in self.cells]

    @cached_property
    def inputs(self) -> Inputs:
        """What the files will record; raises if a model is missing, or its file is damaged."""
        headers = {base.path: read_header(self.root / base.path, MODEL) for base in self.bases}
        for path, header in headers.items():
            if header.get("identity") != path:
                raise ValueError(f"{self.root / path} holds {header.get('identity')}")
        parts = {name: getattr(self, name) for name in self.PARTS}
        return Inputs(
            settings=cell_settings(self.data.settings, **parts),
            dataset_digest=self.data.digest,
            bases={path: header["contents"] for path, header in headers.items()},
            keys={path: header["key"] for path, header in headers.items()},
        )

    def record_fields(self, cell: Cell) -> dict[str, Any]:
        """The part of a cell's file about what it is made of."""
        return self.inputs.record_fields(
            cell.path, "bases" if isinstance(cell, TrainingCell) else "models"
        )

    def reuse_outputs(self) -> bool:
        """Touch the files if all are there, whole, and made of the same; returns whether they are.

        Workflow engines compare times: a file that is found fresh is as new as its job.
        """
        if not all(self._fresh(cell) for cell in self.cells):
            return False
        for output in self.outputs:
            os.utime(output)
            log.info("%s is up to date", output)
        return True

    def _fresh(self, cell: Cell) -> bool:
        path = self.root / cell.path
        try:
            training = isinstance(cell, TrainingCell)
            found = check_tensors(path, MODEL) if training else read_cell(path)
        except FileNotFoundError:
            return False
        except FileError as error:
            log.info("made again: %s", error)
            return False
        return all(found.get(name) == part for name, part in self.record_fields(cell).items())


@dataclass(frozen=True, kw_only=True)
class _ModelRecipe(Recipe):
    model: Trained
    network: NetworkSettings
    selections: tuple[Selection, ...] = option(
        "epochs that get a model file each", (Selection.BEST_VAL, Selection.LAST)
    )

    @property
    def cells(self) -> list[TrainingCell]:
        """The model of every selection."""
        return [TrainingCell(self.model, selection) for selection in self.selections]


@dataclass(frozen=True, kw_only=True)
class TrainingRecipe(_ModelRecipe):
    """A search, a dense training or a fine-tuning: a model for every selection."""

    PARTS = TRAINING

    training: TrainingSettings
    base: Selection = option(
        "epoch of the dense or ticket that this one starts from", Selection.BEST_VAL
    )

    @property
    def bases(self) -> list[TrainingCell]:
        """The ticket and the dense that it starts from."""
        return [TrainingCell(start, self.base) for start in bases_of(self.model)]


@dataclass(frozen=True, kw_only=True)
class ImportRecipe(_ModelRecipe):
    """A foreign checkpoint of a dense or an RST, the same model for every selection."""

    PARTS = IMPORT

    model: Dense | Ticket
    file: Path
    layout: CheckpointLayout = option(
        "how it names its tensors: as the networks here or torchvision's do, or as the paper's "
        "released code does",
        CheckpointLayout.STATE_DICT,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if bases_of(self.model):
            raise ValueError(
                f"{self.model.path} is made from another model; allowed are dense and RST"
            )

    @cached_property
    def sha256(self) -> str:
        """The file's digest; ``FileNotFoundError`` without the file."""
        return file_digest(self.file)


@dataclass(frozen=True)
class _MeasureRecipe(Recipe):
    cell: Evaluation | TransferRow | FeatureDistance

    @property
    def cells(self) -> list[Evaluation | TransferRow | FeatureDistance]:
        """The one cell."""
        return [self.cell]

    @property
    def bases(self) -> list[TrainingCell]:
        """What is measured; none for an untrained network."""
        chosen = self.cell.selection
        return [TrainingCell(model, chosen) for model in sources_of(self.cell) if chosen]


@dataclass(frozen=True)
class AttackRecipe(_MeasureRecipe):
    """An attack; a transfer row evaluates ``targets``, others what they attack.

    Name, eps and seed of the attack are the cell's. Raises ``ValueError`` if they are others, and
    for an attack that is too large, or one on candidate sets where there is none.
    """

    PARTS = ATTACK

    cell: Evaluation | TransferRow
    attack: AttackSpec
    batch_size: int = option("images at a time", 500, Range(1, 10_000_000))
    targets: Sequence[TrainingCell] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, value in named(self.cell).items():
            if (found := getattr(self.attack, key)) != value:
                raise ValueError(
                    f"{key} is {found!r}, and {self.cell.path} says {value!r}; leave it out, or "
                    "name another cell"
                )
        if self.attack.method.on_sets and not isinstance(self.cell.model, CandidateSet):
            raise ValueError(
                f"{self.attack.method} attacks a candidate set, not {self.cell.model.path}"
            )
        check_fits(self.attack, self.data.settings.image_size)

    @property
    def bases(self) -> list[TrainingCell]:
        """What is attacked, and the targets."""
        return list(dict.fromkeys([*super().bases, *self.targets]))


@dataclass(frozen=True)
class FeaturesRecipe(_MeasureRecipe):
    """Feature distances under noise of the sizes ``eps_grid``."""

    PARTS = FEATURES

    cell: FeatureDistance
    network: NetworkSettings
    eps_grid: tuple[float, ...] = option("noise magnitudes in 1/255", each=Range(0, 255))

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.eps_grid), "eps_grid", self.eps_grid, "one or more sizes in 1/255")

"""What one job makes, of what, and whether it is made already. Imports no torch."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rst_core.data.manifest import Manifest
from rst_core.identity import (
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
from rst_core.key import MadeOf, bases_of, cell_settings, sources_of
from rst_core.records import read_cell
from rst_core.settings import AttackSpec, NetworkSettings, TrainingSettings, check_fits
from rst_core.storage import FileError, check_tensors, file_digest, read_header
from rst_core.vocabulary import CheckpointLayout, Selection


@dataclass(frozen=True)
class Recipe(ABC):
    """One job: the cells that it makes, and all that they depend on but the code.

    ``root`` is the folder of all cells, ``data`` the manifest of their dataset.
    """

    root: Path
    data: Manifest

    @property
    @abstractmethod
    def cells(self) -> Sequence[Cell]:
        """What is made; a training makes a model for every selection."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """Those of :mod:`rst_core.key`."""

    @property
    def bases(self) -> Sequence[TrainingCell]:
        """The models that the cells are made from."""
        return ()

    def __post_init__(self) -> None:
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
    def made_of(self) -> MadeOf:
        """What the files will record; raises if a model is missing, or its file is damaged."""
        headers = {base.path: read_header(self.root / base.path, "Model") for base in self.bases}
        for path, header in headers.items():
            if header.get("identity") != path:
                raise ValueError(f"{self.root / path} holds {header.get('identity')}")
        return MadeOf(
            settings=dict(self.settings),
            dataset_digest=self.data.digest,
            bases={path: header["contents"] for path, header in headers.items()},
            keys={path: header["key"] for path, header in headers.items()},
        )

    def recorded(self, cell: Cell) -> dict[str, Any]:
        """The part of a cell's file about what it is made of."""
        return self.made_of.recorded(
            cell.path, "bases" if isinstance(cell, TrainingCell) else "models"
        )

    def finished(self) -> bool:
        """Whether all files are there, whole, and made of the same; then they are touched.

        Workflow engines compare times: a file that is found fresh is as new as its job.
        """
        if not all(self._fresh(cell) for cell in self.cells):
            return False
        for output in self.outputs:
            os.utime(output)
            log.info("%s was finished before: kept", output)
        return True

    def _fresh(self, cell: Cell) -> bool:
        path = self.root / cell.path
        try:
            training = isinstance(cell, TrainingCell)
            found = check_tensors(path, "Model") if training else read_cell(path)
        except FileNotFoundError:
            return False
        except FileError as error:
            log.info("made again: %s", error)
            return False
        return all(found.get(name) == part for name, part in self.recorded(cell).items())


@dataclass(frozen=True)
class TrainingRecipe(Recipe):
    """A search, a dense training or a fine-tuning; ``base``: the epoch of what it starts from."""

    model: Trained
    network: NetworkSettings
    training: TrainingSettings
    selections: Sequence[Selection]
    base: Selection = Selection.BEST_VAL

    @property
    def cells(self) -> list[TrainingCell]:
        """The model of every selection."""
        return [TrainingCell(self.model, selection) for selection in self.selections]

    @property
    def settings(self) -> dict[str, Any]:
        """Network, training and dataset."""
        return cell_settings(self.data.settings, network=self.network, training=self.training)

    @property
    def bases(self) -> list[TrainingCell]:
        """The ticket and the dense that it starts from."""
        return [TrainingCell(start, self.base) for start in bases_of(self.model)]


@dataclass(frozen=True)
class ImportRecipe(Recipe):
    """A foreign checkpoint, which stands for every selection that cells may ask for."""

    model: Dense | Ticket
    network: NetworkSettings
    file: Path
    layout: CheckpointLayout
    selections: Sequence[Selection]

    @property
    def cells(self) -> list[TrainingCell]:
        """One model for every selection, all alike."""
        return [TrainingCell(self.model, selection) for selection in self.selections]

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Network, layout, the file's digest, dataset; ``FileNotFoundError`` without the file."""
        parts = {"layout": self.layout, "sha256": file_digest(self.file)}
        return cell_settings(self.data.settings, network=self.network, **parts)


@dataclass(frozen=True)
class AttackRecipe(Recipe):
    """An attack; a transfer row is judged by ``judges``, others by what they attack.

    Raises ``ValueError`` if the attack is not the one that the cell's name says, or too large.
    """

    cell: Evaluation | TransferRow
    spec: AttackSpec
    batch_size: int
    judges: Sequence[TrainingCell] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, value in named(self.cell).items():
            if (found := getattr(self.spec, key)) != value:
                raise ValueError(
                    f"{key} is {found!r}, and {self.cell.path} says {value!r}; leave it out, or "
                    "name another cell"
                )
        check_fits(self.spec, self.data.settings.image_size)

    @property
    def cells(self) -> list[Evaluation | TransferRow]:
        """The one cell."""
        return [self.cell]

    @property
    def settings(self) -> dict[str, Any]:
        """Attack, batch size and dataset."""
        return cell_settings(self.data.settings, attack=self.spec, batch_size=self.batch_size)

    @property
    def bases(self) -> list[TrainingCell]:
        """What is attacked, and the judges."""
        own = [TrainingCell(model, self.cell.selection) for model in sources_of(self.cell)]
        return list(dict.fromkeys([*own, *self.judges]))


@dataclass(frozen=True)
class FeaturesRecipe(Recipe):
    """Feature distances under noise of the sizes ``eps_grid``, in 1/255."""

    cell: FeatureDistance
    network: NetworkSettings
    eps_grid: tuple[float, ...]

    @property
    def cells(self) -> list[FeatureDistance]:
        """The one cell."""
        return [self.cell]

    @property
    def settings(self) -> dict[str, Any]:
        """Network, sizes of noise and dataset."""
        return cell_settings(self.data.settings, network=self.network, eps_grid=self.eps_grid)

    @property
    def bases(self) -> list[TrainingCell]:
        """The dense; none for the untrained network."""
        chosen = self.cell.selection
        return [TrainingCell(model, chosen) for model in sources_of(self.cell) if chosen]


def named(cell: Cell) -> dict[str, Any]:
    """The settings of an attack that its cell's name holds; none of other cells."""
    if not isinstance(cell, Evaluation | TransferRow):
        return {}
    return {"name": cell.attack, "eps": cell.eps, "seed": cell.model.network.seed}

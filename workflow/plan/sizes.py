"""How many images a dataset has, and how large the files of a cell are."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from rst_core.settings import DatasetSettings
from rst_core.spec import Cell, Evaluation, FeatureDistance, Ticket, TrainingCell, TransferRow
from rst_core.vocabulary import Source
from workflow.plan.calibration import NetworkTimes, PlanError

#: Training and test images of what can be known before it is fetched.
_KNOWN = {
    (Source.TORCHVISION, "CIFAR10"): (50_000, 10_000),
    (Source.TORCHVISION, "CIFAR100"): (50_000, 10_000),
    (Source.TORCHVISION, "SVHN"): (73_257, 26_032),
    (Source.DIGITS, "plain"): (1_437, 360),
    (Source.DIGITS, "tinted"): (1_437, 360),
    (Source.DIGITS, "street"): (1_437, 360),
}
#: A folder of a thousand classes that is not there yet is taken for ILSVRC 2012.
_ILSVRC = (1_281_167, 50_000)


@dataclass(frozen=True)
class ImageCounts:
    """Images of a dataset's splits, and where the numbers come from if nobody counted them."""

    train: int
    validation: int
    test: int
    remark: str = ""


def image_counts(name: str, settings: DatasetSettings, manifests: Path) -> ImageCounts:
    """Counts from the dataset's manifest, else from what is known of it, else from its folder.

    Raises:
        PlanError: if none of them says.
    """
    manifest = manifests / f"{name}.json"
    if manifest.is_file():
        found = json.loads(manifest.read_text(encoding="utf-8"))["images"]
        return ImageCounts(found["train"], found["validation"], found["test"])
    held = settings.validation_images
    known = _KNOWN.get((settings.source, settings.variant))
    if known is not None:
        return ImageCounts(known[0] - held, held, known[1])
    halves = [_files(Path(settings.path) / half) for half in ("train", "test", "val")]
    if halves[0]:
        return ImageCounts(halves[0] - held, held, halves[1] or halves[2])
    if settings.classes == 1000:
        remark = (
            f"{name} is taken to have the {_ILSVRC[0]:,} and {_ILSVRC[1]:,} images of ILSVRC 2012"
        )
        return ImageCounts(_ILSVRC[0] - held, held, _ILSVRC[1], remark)
    raise PlanError(f"nobody knows yet how many images {name} has; 'snakemake {manifest}' looks")


def _files(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*/*.*")) if folder.is_dir() else 0


def file_bytes(cell: Cell, network: NetworkTimes | None, tests: int, judges: int) -> float:
    """Size of a cell's file. Upper bounds: outcomes that compress well compress better.

    Args:
        cell: which.
        network: of the cell; needed for model files only, without it they count nothing.
        tests: test images.
        judges: models whose outcomes the file holds.
    """
    match cell:
        case TrainingCell(model=model):
            if network is None:
                return 0.0
            norms = 4.0 * network.statistics
            if isinstance(model, Ticket):
                return network.parameters * _bits(model.keep_ratio) / 8 + norms
            return 4.0 * network.parameters + norms
        case FeatureDistance():
            return 2e3
        case Evaluation() | TransferRow():
            # Natural and robust, a bit an image in base64; Bandits' counts are 4 bytes each.
            queries = 4 * 4 / 3 * tests if "bandits" in cell.attack else 0
            return 2e3 + judges * (300 + 2 * tests / 8 * 4 / 3) + queries


def _bits(keep_ratio: float) -> float:
    """Of a packed mask, a weight: zlib stays within 1.4 of the entropy (docs/measurements.md)."""
    if not 0 < keep_ratio < 1:
        return 0.01
    other = 1 - keep_ratio
    entropy = -keep_ratio * math.log2(keep_ratio) - other * math.log2(other)
    return min(1.0, 1.4 * entropy)


def checkpoint_bytes(network: NetworkTimes, selections: int) -> float:
    """Of a run that is not finished: variables, momentum, statistics and the kept epochs."""
    return 4.0 * (2 + selections) * network.parameters

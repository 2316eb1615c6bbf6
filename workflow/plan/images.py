"""How many images a dataset has, as far as that is known before it is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from rst_core.settings import DatasetSettings
from rst_core.vocabulary import Source


class PlanError(ValueError):
    """Nothing can be planned; the message is one sentence with what to do."""


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
    """Images of a dataset's splits, and a remark if the numbers are a guess."""

    train: int
    validation: int
    test: int
    remark: str = ""


def image_counts(settings: DatasetSettings, manifest: Path) -> ImageCounts:
    """Counts from the dataset's manifest, else from what is known of it, else from its folder.

    Raises:
        PlanError: if none of them says.
    """
    if manifest.is_file():
        found = json.loads(manifest.read_text(encoding="utf-8"))["images"]
        return ImageCounts(found["train"], found["validation"], found["test"])
    held = settings.validation_images
    known = _KNOWN.get((settings.source, settings.variant))
    if known is not None:
        return ImageCounts(known[0] - held, held, known[1])
    train, *tests = (_files(Path(settings.path) / half) for half in ("train", "test", "val"))
    if train:
        return ImageCounts(train - held, held, max(tests))
    if settings.classes == 1000:
        train, test = _ILSVRC
        remark = (
            f"{manifest.stem} is taken to have the {train:,} and {test:,} images of ILSVRC 2012"
        )
        return ImageCounts(train - held, held, test, remark)
    raise PlanError(
        f"the number of images of {manifest.stem} is not known yet; "
        f"'snakemake {manifest}' counts them"
    )


def _files(folder: Path) -> int:
    return sum(1 for _ in folder.glob("*/*.*")) if folder.is_dir() else 0

"""A dataset's manifest: its settings, what was found, and a digest of all images. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from rst_core.document import from_document
from rst_core.forms import check_name
from rst_core.settings import DatasetSettings
from rst_core.storage import IMPOSSIBLE, DamagedFileError, is_digest, read_json, write_json

FORMAT = 2
SPLITS = ("train", "validation", "test")
#: Name, classes, pixels a side, training and test images of the datasets whose roles the paper has.
OFFICIAL = {
    "cifar10": ("CIFAR-10", 10, 32, 50_000, 10_000),
    "cifar100": ("CIFAR-100", 100, 32, 50_000, 10_000),
    "svhn": ("SVHN", 10, 32, 73_257, 26_032),
    "imagenet": ("ImageNet", 1000, 224, 1_281_167, 50_000),
}
#: Training and test images of scikit-learn's digits, as the stand-ins made of them have them.
DIGITS = (1_437, 360)


@dataclass(frozen=True)
class Manifest:
    """One dataset as it was found.

    Attributes:
        name: what cells call the dataset.
        settings: where it is, and how it is split, normalised and augmented.
        digest: of its images and labels, split by split and in order.
        files: fingerprint of the files that were read (:mod:`rst_core.data.source_files`).
        images: how many images each split has.
        images_a_class: the same for every class.
    """

    name: str
    settings: DatasetSettings
    digest: str
    files: str
    images: dict[str, int]
    images_a_class: dict[str, tuple[int, ...]]

    def mark(self, role: str) -> str:
        """How it differs in numbers from the official images of a role; empty if not."""
        if role not in OFFICIAL:
            return ""
        train, test = self.images["train"] + self.images["validation"], self.images["test"]
        _, classes, side, *official = OFFICIAL[role]
        marks = []
        if (found := self.settings.classes) != classes:
            marks.append(f"{found:,} classes instead of {classes:,}")
        if (found := self.settings.image_size) != side:
            marks.append(f"{found} pixels a side instead of {side}")
        if train + test != sum(official):
            marks.append(f"{train + test:,} of {sum(official):,} images")
        elif test != official[1]:
            marks.append(f"{test:,} test images instead of {official[1]:,}")
        return ", ".join(marks)


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write a manifest, whole or not at all."""
    write_json(path, {"format": FORMAT, "kind": "Manifest", **asdict(manifest)})


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file.

    Raises ``FileNotFoundError`` saying how to make it, ``DamagedFileError`` if it is not as it was
    written or says what cannot be, ``OtherVersionError`` if another version wrote it.
    """
    try:
        value = read_json(path, "Manifest", FORMAT)
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist; 'rst data {path} …' makes it") from None
    del value["format"], value["kind"]
    try:
        manifest = from_document(Manifest, value, "")
        _check(manifest)
    except IMPOSSIBLE as error:
        raise DamagedFileError(path, error) from None
    return manifest


def _check(manifest: Manifest) -> None:
    check_name("dataset", manifest.name)
    if not is_digest(manifest.digest):
        raise ValueError(f"digest is {manifest.digest!r}, which is no digest")
    counts, settings = manifest.images, manifest.settings
    for of in (counts, manifest.images_a_class):
        if tuple(of) != SPLITS:
            raise ValueError(f"it counts the images of {of!r}, not of {', '.join(SPLITS)}")
    for split in SPLITS:
        each = manifest.images_a_class[split]
        if min(each, default=-1) < 0 or sum(each) != counts[split] or counts[split] < 1:
            raise ValueError(f"{split} has {counts[split]!r} images, and its classes {each!r}")
        if len(each) != settings.classes:
            raise ValueError(f"{split} counts {len(each)} classes of {settings.classes}")
    if counts["validation"] != settings.validation_images:
        raise ValueError(
            f"{counts['validation']} validation images are not the "
            f"{settings.validation_images} of its settings"
        )

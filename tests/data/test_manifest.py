"""Manifests of datasets: what is written is read, and parts of the paper's datasets are marked."""

import dataclasses

import pytest

from rst_core.data.manifest import OFFICIAL, SPLITS, Manifest, read_manifest, write_manifest
from rst_core.data.sources import load_splits
from rst_core.vocabulary import Source
from tests.conftest import DIGITS
from tests.test_config import PAPER

CIFAR10 = dataclasses.replace(DIGITS, source=Source.FOLDER, image_size=32, validation_images=500)


def manifest(train=4670, validation=500, test=1017):
    counts = dict(zip(SPLITS, (train, validation, test), strict=True))
    spread = {split: (count - 9, *[1] * 9) for split, count in counts.items()}
    settings = dataclasses.replace(CIFAR10, validation_images=validation)
    return Manifest("cifar10", settings, "0" * 64, "", counts, spread)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("manifest") / "cifar10.json"
    write_manifest(path, manifest())
    return path


def test_what_is_written_is_read(written):
    assert read_manifest(written) == manifest()


def test_the_command_writes_counts_and_the_digest_of_what_it_found(results):
    found = read_manifest(results / "data.json")
    assert found.images == {"train": 537, "validation": 900, "test": 360}
    assert found.digest == load_splits(found.settings).digest()


def test_the_digest_is_of_every_split(few_digits):
    found = {few_digits.digest()}
    for split in SPLITS:
        fewer = getattr(few_digits, split).first(10)
        found.add(dataclasses.replace(few_digits, **{split: fewer}).digest())
    assert len(found) == 4


def test_a_missing_manifest_says_what_makes_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'rst data .* makes it"):
        read_manifest(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("counts", "role", "mark"),
    [
        ((4670, 500, 1017), "cifar10", "6,187 of 60,000 images"),
        ((49_000, 1_000, 10_000), "cifar10", ""),
        ((48_000, 1_000, 11_000), "cifar10", "11,000 test images instead of 10,000"),
        ((49_000, 1_000, 10_000), "svhn", "60,000 of 99,289 images"),
        ((4670, 500, 1017), "mnist", ""),
    ],
)
def test_the_mark_compares_counts_with_the_roles_official_ones(counts, role, mark):
    assert manifest(*counts).mark(role) == mark


def test_images_of_other_classes_or_sizes_are_marked_though_as_many():
    found = manifest(49_000, 1_000, 10_000)
    hundred = dataclasses.replace(found, settings=dataclasses.replace(found.settings, classes=100))
    assert hundred.mark("cifar10") == "100 classes instead of 10"
    assert hundred.mark("cifar100") == ""
    small = dataclasses.replace(found, settings=dataclasses.replace(found.settings, image_size=16))
    assert small.mark("cifar10") == "16 pixels a side instead of 32"


def test_every_role_of_the_papers_config_has_official_counts():
    assert set(PAPER["roles"]["datasets"]) == set(OFFICIAL)

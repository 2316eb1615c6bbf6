import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from rst_core.augment import random_crop, random_flip
from rst_core.data import _read_digits, as_float, image_files, load_splits
from rst_core.settings import DatasetSettings
from rst_core.vocabulary import Source
from tests.conftest import DIGITS

FOLDER = DatasetSettings(
    source=Source.FOLDER,
    path="set by the test",
    classes=2,
    image_size=8,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    validation_images=2,
)


@pytest.fixture
def folder(tmp_path):
    for split, count in (("train", 5), ("test", 3)):
        for label, name in enumerate(("cat", "dog")):
            place = tmp_path / split / name
            place.mkdir(parents=True)
            for i in range(count):
                shade = np.full((8, 8, 3), 100 * label + i, dtype=np.uint8)
                Image.fromarray(shade).save(place / f"{i:04}.png")
    return dataclasses.replace(FOLDER, path=str(tmp_path))


def test_an_image_folder_keeps_pixels_and_orders_classes_by_name(folder):
    splits = load_splits(folder)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (8, 2, 6)
    assert splits.test.pixels.dtype == torch.uint8
    assert splits.test.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert splits.test.pixels[:, 0, 0, 0].tolist() == [0, 100, 1, 101, 2, 102]


def test_validation_is_held_out_by_seed(folder):
    def shades(images):
        return sorted(images.pixels[:, 0, 0, 0].tolist())

    one, again = load_splits(folder), load_splits(folder)
    assert shades(one.validation) == shades(again.validation)
    assert not set(shades(one.train)) & set(shades(one.validation))
    assert len(shades(one.train) + shades(one.validation)) == 10
    others = [
        shades(load_splits(dataclasses.replace(folder, validation_seed=s)).validation)
        for s in range(1, 6)
    ]
    assert any(o != shades(one.validation) for o in others)


def test_a_missing_folder_says_where_and_what_is_expected(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'.*nowhere/train' does not exist"):
        load_splits(dataclasses.replace(folder, path=str(tmp_path / "nowhere")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": 3, "image_size": 16}, "image_size asks for"),
        ({"validation_images": 10}, "allowed is less than the 10"),
    ],
)
def test_data_that_disagrees_with_its_settings_is_refused(folder, change, message):
    with pytest.raises(ValueError, match=message):
        load_splits(dataclasses.replace(folder, **change))


def test_more_labels_than_classes_are_refused(folder, tmp_path):
    place = tmp_path / "test" / "eel"
    place.mkdir()
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(place / "0.png")
    with pytest.raises(ValueError, match="classes is 2, so at most 1 is allowed"):
        load_splits(folder)


def test_missing_torchvision_data_names_the_remedy(tmp_path):
    settings = dataclasses.replace(
        FOLDER, source=Source.TORCHVISION, variant="CIFAR10", path=str(tmp_path)
    )
    with pytest.raises(FileNotFoundError, match="--download"):
        load_splits(settings)
    with pytest.raises(ValueError, match="allowed is one of CIFAR10, CIFAR100, SVHN"):
        load_splits(dataclasses.replace(settings, variant="MNIST"))


def test_the_stand_ins_are_three_distinct_tasks():
    plain, tinted, street = (
        load_splits(dataclasses.replace(DIGITS, variant=v, classes=c))
        for v, c in (("plain", 10), ("tinted", 20), ("street", 10))
    )
    assert [int(s.test.labels.max()) + 1 for s in (plain, tinted, street)] == [10, 20, 10]
    brightness = [s.train.pixels.float().mean().item() for s in (plain, tinted, street)]
    assert brightness[1] < brightness[0] < brightness[2]
    assert len(plain.test) == 360
    with pytest.raises(ValueError, match="allowed is plain, tinted or street"):
        load_splits(dataclasses.replace(DIGITS, variant="roman"))


def test_images_are_in_the_unit_interval_channels_last(digits):
    images = as_float(digits.test.pixels)
    assert 0 <= images.min() < images.max() <= 1
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_a_crop_is_a_shift_by_at_most_the_padding():
    images = torch.arange(2 * 3 * 6 * 6).view(2, 3, 6, 6) + 1
    cropped = random_crop(images, 2, torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(images, (2,) * 4)
    for image, original in zip(cropped, padded, strict=True):
        windows = [original[:, i : i + 6, j : j + 6] for i in range(5) for j in range(5)]
        assert sum(torch.equal(image, window) for window in windows) == 1


def test_a_flip_mirrors_some_images_and_leaves_the_others():
    images = torch.rand(64, 3, 4, 4)
    flipped = random_flip(images, torch.Generator().manual_seed(0))
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(flipped, images, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(flipped, images, strict=True)]
    assert all(m != s for m, s in zip(mirrored, same, strict=True))
    assert 16 < sum(mirrored) < 48


def test_digits_are_those_that_scikit_learn_loads():
    bunch = load_digits()
    gray, labels = _read_digits()
    assert torch.equal(gray, torch.from_numpy(bunch.images.astype(np.float32) / 16))
    assert torch.equal(labels, torch.from_numpy(bunch.target))


def test_classes_take_turns_in_an_image_folder(tmp_path):
    for name, files in (("a", "123"), ("b", "12"), ("c", "1")):
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / f"{file}.png").touch()
    paths, labels = image_files(tmp_path, ["a", "b", "c"])
    assert labels == [0, 1, 2, 0, 1, 0]
    assert [p.stem for p in paths] == ["1", "1", "1", "2", "2", "3"]

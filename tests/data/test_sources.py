"""Where images come from: each source whole, its splits, and what disagrees with its settings."""

import dataclasses
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from rst_core.data.images import Images
from rst_core.data.sources import _read_digits, hold_out, image_files, load_splits, save_packed
from rst_core.vocabulary import Source
from tests.conftest import DIGITS
from tests.data.folders import FOLDER, digests, streamed


def test_an_image_folder_keeps_pixels_and_orders_classes_by_name(folder):
    splits = load_splits(folder)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (8, 2, 6)
    assert splits.test.pixels.dtype == torch.uint8
    assert splits.test.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert splits.test.pixels[:, 0, 0, 0].tolist() == [0, 100, 1, 101, 2, 102]


def test_validation_is_held_out_by_the_settings_seed(folder):
    def chosen(seed):
        splits = load_splits(dataclasses.replace(folder, validation_seed=seed))
        return splits.validation.pixels[:, 0, 0, 0].tolist()

    assert chosen(0) == chosen(0)
    assert any(chosen(seed) != chosen(0) for seed in range(1, 6))


def test_a_missing_folder_says_where_and_what_is_expected(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"'.*nowhere/train' does not exist"):
        load_splits(dataclasses.replace(folder, path=str(tmp_path / "nowhere")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": 16}, "image_size asks for"),
        ({"classes": 3}, r"holds 2 class folders \(cat, dog\); classes is 3"),
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
    with pytest.raises(ValueError, match=r"holds 3 class folders \(cat, dog, eel\); classes is 2"):
        load_splits(folder)


def test_missing_torchvision_data_names_the_remedy(tmp_path):
    cifar10 = {"variant": "CIFAR10", "classes": 10, "image_size": 32, "path": str(tmp_path)}
    settings = dataclasses.replace(FOLDER, source=Source.TORCHVISION, **cifar10)
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
    red, _, blue = tinted.train.pixels.float().mean((2, 3)).T
    assert torch.equal(blue > red, tinted.train.labels >= 10)
    upright = street.train.pixels.rot90(-1, (2, 3)).float()
    assert torch.allclose(upright, 0.9 * 255 - 0.8 * plain.train.pixels, atol=1)
    assert len(plain.test) == 360
    with pytest.raises(ValueError, match="allowed is one of plain, tinted, street"):
        load_splits(dataclasses.replace(DIGITS, variant="roman"))


@pytest.mark.parametrize("variant", ["CIFAR10", "SVHN"])
def test_torchvisions_test_images_are_the_test_images(variant, monkeypatch):
    """Of CIFAR, torchvision gives N x H x W x 3 and a list of labels, of SVHN two arrays."""

    def cifar10(root, train, download):
        shades = np.arange(60)[:, None, None, None] + 100 * (not train)
        pixels = np.broadcast_to(shades + np.arange(3), (60, 32, 32, 3)).astype(np.uint8)
        return SimpleNamespace(data=pixels, targets=list(range(10)) * 6)

    def svhn(root, split, download):
        cifar = cifar10(root, split == "train", download)
        pixels = cifar.data.transpose(0, 3, 1, 2)
        return SimpleNamespace(data=pixels, labels=np.array(cifar.targets))

    library = SimpleNamespace(datasets=SimpleNamespace(CIFAR10=cifar10, SVHN=svhn))
    monkeypatch.setattr("rst_core.data.sources.import_torchvision", lambda: library)
    changes = {"source": Source.TORCHVISION, "classes": 10, "image_size": 32}
    splits = load_splits(dataclasses.replace(FOLDER, variant=variant, **changes))
    shades = splits.test.pixels[:, :, 0, 0]
    assert torch.equal(shades[:, 0], torch.arange(100, 160, dtype=torch.uint8))
    assert torch.equal(shades - shades[:, :1], torch.arange(3, dtype=torch.uint8).expand(60, 3))
    assert torch.equal(splits.test.labels, torch.arange(10).repeat(6))
    held_out = torch.cat([splits.train.pixels, splits.validation.pixels])
    assert held_out[:, 0, 0, 0].sort().values.tolist() == list(range(60))


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


def test_a_class_without_images_is_named(folder, tmp_path):
    for path in (tmp_path / "test" / "dog").iterdir():
        path.rename(path.with_name(f".{path.name}"))
    with pytest.raises(ValueError, match=r"test/dog' holds no images; every class needs some"):
        load_splits(folder)


def test_a_class_without_images_is_named_where_there_are_no_folders(tmp_path):
    images = Images(torch.zeros(6, 3, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 2] * 2))
    few = images.select(torch.tensor([0, 1]))
    packed = {"source": Source.PACKED, "path": str(tmp_path / "p.pt"), "validation_images": 1}
    settings = dataclasses.replace(FOLDER, **packed, classes=3)
    save_packed(tmp_path / "p.pt", images, few)
    with pytest.raises(ValueError, match="class 2 has no image in test; classes is 3"):
        load_splits(settings)
    save_packed(tmp_path / "p.pt", few, images)
    with pytest.raises(ValueError, match="class 2 has no image in train"):
        load_splits(settings)
    with pytest.raises(ValueError, match="test labels include 2; classes is 2, so 0 to 1"):
        load_splits(dataclasses.replace(settings, classes=2))


def test_hidden_files_and_folders_are_ignored(folder, tmp_path):
    before = load_splits(folder)
    (tmp_path / "train" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "train" / "cat" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "train" / "cat" / ".DS_Store").write_bytes(b"no image")
    (tmp_path / "train" / "labels.csv").write_text("no class")
    after = load_splits(folder)
    assert digests(after) == digests(before)


@pytest.mark.parametrize("kind", ["memory", "streamed"])
def test_a_digest_is_of_images_labels_and_order_and_not_of_the_place(folder, tmp_path, kind):
    def of(path):
        settings = dataclasses.replace(folder, path=str(path))
        return digests(load_splits(streamed(settings) if kind == "streamed" else settings))

    original = of(tmp_path)
    there = tmp_path / "elsewhere"
    for split in ("train", "test"):
        shutil.copytree(tmp_path / split, there / split)
    os.utime(there / "test" / "cat" / "0000.png", (0, 0))
    assert of(there) == original
    cat, dog = there / "test" / "cat" / "0000.png", there / "test" / "dog" / "0000.png"
    first, second = cat.read_bytes(), dog.read_bytes()
    cat.write_bytes(second)
    dog.write_bytes(first)
    assert of(there)[:2] == original[:2]
    assert of(there)[2] != original[2]
    cat.write_bytes(first)
    dog.write_bytes(second)
    assert of(there) == original
    images = load_splits(streamed(folder) if kind == "streamed" else folder).test
    relabelled = dataclasses.replace(images, labels=images.labels.flip(0))
    assert relabelled.digest("test") != images.digest("test")
    (there / "test" / "dog" / "0000.png").rename(there / "test" / "dog" / "9999.png")
    assert of(there)[2] != original[2]


def test_the_first_of_the_seeds_order_are_held_out():
    images = Images(torch.zeros(10, 3, 4, 4, dtype=torch.uint8), torch.arange(10))
    order = torch.randperm(10, generator=torch.Generator().manual_seed(3)).tolist()
    kept, held = hold_out(images, 4, 3)
    assert held.labels.tolist() == sorted(order[:4])
    assert kept.labels.tolist() == sorted(order[4:])

import dataclasses
import os
import shutil
import struct
import zlib
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from rst_core.data import source_files
from rst_core.data.image_files import fingerprint, fingerprints, read_rgb
from rst_core.data.images import Images, as_float, random_crop, random_flip
from rst_core.data.sources import _read_digits, image_files, load_splits, save_packed
from rst_core.job.cli import main
from rst_core.job.flags import to_flags
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
    assert len(plain.test) == 360
    with pytest.raises(ValueError, match="allowed is one of plain, tinted, street"):
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


@pytest.mark.parametrize(("padding", "flip"), [(2, False), (2, True), (0, True), (0, False)])
def test_training_sees_every_shift_and_both_sides_and_nothing_else(padding, flip):
    """All (2 x padding + 1)^2 windows of one image, mirrored too if flips are asked for."""
    image = torch.arange(1, 3 * 5 * 5 + 1, dtype=torch.uint8).view(1, 3, 5, 5)
    same = Images(image.repeat(1000, 1, 1, 1), torch.zeros(1000, dtype=torch.int64))
    settings = dataclasses.replace(DIGITS, crop_padding=padding, flip=flip)
    ((batch, _),) = same.training_batches(settings, 1000, 0, 0)
    padded = torch.nn.functional.pad(image[0], (padding,) * 4)
    steps = range(2 * padding + 1)
    windows = [padded[:, i : i + 5, j : j + 5] for i in steps for j in steps]
    windows += [window.flip(2) for window in windows] if flip else []
    seen = Counter(tuple(shown.flatten().tolist()) for shown in (255 * batch).round().int())
    assert set(seen) == {tuple(window.flatten().tolist()) for window in windows}
    assert min(seen.values()) > 0.3 * 1000 / len(windows), "all are alike"


def test_another_seed_or_epoch_augments_anew():
    same = Images(torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).repeat(20, 3, 1, 1),
                  torch.zeros(20, dtype=torch.int64))  # fmt: skip
    settings = dataclasses.replace(DIGITS, crop_padding=2)
    first, again, seed, epoch = (
        torch.cat([x for x, _ in same.training_batches(settings, 10, *key)])
        for key in ((0, 0), (0, 0), (1, 0), (0, 1))
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, seed)
    assert not torch.equal(first, epoch)
    assert not torch.equal(first[:10], first[10:])


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


def digests(splits):
    named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    return [images.digest(name) for name, images in named.items()]


def streamed(folder):
    changes = {"source": Source.STREAMED_FOLDER, "crop_padding": 0}
    return dataclasses.replace(folder, **changes)


def put(path, name):
    """Replace an image by something that is none, or none of ours."""
    whole = path.read_bytes()
    shade = np.full((8, 8), 2**15, dtype=np.uint16)
    match name:
        case "text":
            path.write_text("no image")
        case "empty":
            path.write_bytes(b"")
        case "truncated":
            path.write_bytes(whole[:-20])
        case "16 bits, grey":
            Image.fromarray(shade).save(path)
        case "16 bits, colours":
            header = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
            rows = zlib.compress(b"".join(b"\0" + bytes(8 * 6) for _ in range(8)))
            chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
            path.write_bytes(
                b"\x89PNG\r\n\x1a\n"
                + b"".join(
                    struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c))
                    for n, c in chunks
                )
            )
        case "16 bits, PPM":
            path.write_bytes(b"P6 8 8 65535\n" + bytes(8 * 8 * 6))
        case "floats":
            Image.fromarray(shade.astype(np.float32)).save(path, format="TIFF")
        case "folder":
            path.unlink()
            path.mkdir()


@pytest.mark.parametrize("kind", ["memory", "streamed"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text", "is no image; replace or remove it"),
        ("empty", "is no image; replace or remove it"),
        ("truncated", "is no readable image; replace or remove it"),
        ("16 bits, grey", "has more than 8 bits a channel"),
        ("16 bits, colours", "has more than 8 bits a channel"),
        ("16 bits, PPM", "has more than 8 bits a channel"),
        ("floats", "has more than 8 bits a channel"),
        ("folder", "is no file; allowed in a class's folder are images"),
    ],
)
def test_a_bad_image_is_named_when_the_manifest_is_made(
    folder, tmp_path, capsys, kind, name, message
):
    put(tmp_path / "train" / "dog" / "0003.png", name)
    settings = streamed(folder) if kind == "streamed" else folder
    made = tmp_path / "made.json"
    assert main(["data", str(made), *to_flags(settings)]) == 1
    assert f"train/dog/0003.png {message}" in capsys.readouterr().err
    assert not made.exists()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize("form", ["png", "tiff", "bmp", "jpeg"])
def test_images_of_8_bits_are_taken_whatever_their_mode(tmp_path, mode, form):
    path = tmp_path / f"image.{form}"
    try:
        Image.fromarray(np.full((8, 8, 3), 77, np.uint8)).convert(mode).save(path)
    except (OSError, KeyError):
        pytest.skip(f"{form} has no {mode}")
    assert read_rgb(path).mode == "RGB"


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("encoded")
    for form in ("png", "jpeg"):
        Image.fromarray(pixels).save(path / f"whole.{form}")
    return path


@given(st.sampled_from(["png", "jpeg"]), st.floats(0, 1, exclude_max=True), st.booleans())
def test_a_truncated_image_is_whole_or_named(encoded, form, part, small):
    whole, cut = encoded / f"whole.{form}", encoded / f"cut.{form}"
    data = whole.read_bytes()
    cut.write_bytes(data[: int(part * len(data))])
    try:
        problem, _ = "", small and fingerprint(cut)
        found = np.asarray(read_rgb(cut))
    except ValueError as error:
        problem = str(error)
    assert str(cut) in problem or np.array_equal(found, np.asarray(read_rgb(whole)))


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
    (there / "test" / "dog" / "0000.png").rename(there / "test" / "dog" / "9999.png")
    assert of(there)[2] != original[2]


def test_many_images_are_checked_by_several_processes(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("rst_core.data.image_files._MANY", 2)
    paths = sorted((tmp_path / "train" / "dog").iterdir())
    assert list(fingerprints(paths, "dogs")) == [fingerprint(path) for path in paths]
    put(paths[3], "truncated")
    with pytest.raises(ValueError, match=r"^\S*0003.png is no readable image"):
        list(fingerprints(paths, "dogs"))


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_skipped_batches_change_no_other(digits, tmp_path, skip):
    whole = list(digits.train.training_batches(DIGITS, 300, 0, 3))
    rest = list(digits.train.training_batches(DIGITS, 300, 0, 3, skip=skip))
    assert len(whole) == len(rest) + skip
    for (one, labels), (other, same) in zip(whole[skip:], rest, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(labels, same)


def test_an_image_that_moves_to_another_class_changes_the_fingerprint_of_the_files(tmp_path):
    for place in ("train/a/0.png", "train/b/1.png", "train/b/2.png"):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"image")
    settings = dataclasses.replace(DIGITS, source=Source.FOLDER, path=str(tmp_path))
    before = source_files.fingerprint(settings)
    (tmp_path / "train/b/1.png").rename(tmp_path / "train/a/1.png")
    assert source_files.fingerprint(settings) != before

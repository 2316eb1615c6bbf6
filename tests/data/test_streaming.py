"""Image folders that are decoded anew for every batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from rst_core.data.sources import load_splits
from rst_core.device.distributed import Share
from rst_core.vocabulary import Source
from tests.device.several_processes import CLASSES, folder_settings, make_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("images")
    make_folder(path, [(40, 24), (20, 31)], test="val")
    return path


def training_batches(settings, *, workers=0, epoch=0, seed=0, share=None):
    train = load_splits(settings, workers=workers).train
    shares = [] if share is None else [share]
    return list(train.training_batches(settings, 8, seed, epoch, *shares))


def assert_same(found, expected):
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_batches_have_shape_and_range(folder):
    settings = folder_settings(folder)
    (images, labels), *rest = training_batches(settings)
    assert images.shape == (8, 3, 14, 14)
    assert images.dtype == torch.float32
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert 0 <= images.min() < images.max() <= 1
    assert labels.dtype == torch.int64
    assert 1 + len(rest) == 30 // 8


def test_batches_do_not_depend_on_workers(folder):
    settings = folder_settings(folder)
    assert_same(training_batches(settings, workers=2), training_batches(settings))
    streams = [load_splits(settings, workers=w).test for w in (0, 2)]
    one, two = ([b[1:] for b in images.evaluation_batches(4)] for images in streams)
    assert_same(two, one)


def test_shares_put_together_are_the_batches_of_one_process(folder):
    settings = folder_settings(folder)
    parts = [training_batches(settings, share=Share(rank, 2)) for rank in range(2)]
    joined = [
        tuple(torch.cat(pair) for pair in zip(*both, strict=True))
        for both in zip(*parts, strict=True)
    ]
    assert_same(joined, training_batches(settings))


def test_evaluation_batches_take_turns(folder):
    test = load_splits(folder_settings(folder)).test
    starts = [[b[0] for b in test.evaluation_batches(4, Share(rank, 2))] for rank in range(2)]
    assert starts == [[0, 8], [4, 12]]
    assert torch.equal(torch.cat([b[2] for b in test.evaluation_batches(4)]), test.labels)


def test_views_depend_on_no_global_generator_and_change_none(folder):
    settings = folder_settings(folder)
    state = torch.random.get_rng_state()
    first = training_batches(settings)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(1)
    assert_same(training_batches(settings), first)


@pytest.mark.parametrize("flip", [True, False])
def test_views_are_drawn_by_seed_epoch_and_image_and_flipped_where_asked_for(tmp_path, flip):
    """Of images that all are the same, with less red on the left and less green above."""
    make_folder(tmp_path, [(40, 40)])
    above, left = np.indices((40, 40), dtype=np.uint8)
    for path in tmp_path.rglob("*.png"):
        Image.fromarray(np.stack([6 * left, 6 * above, 0 * left], 2)).save(path)
    settings = folder_settings(tmp_path, flip=flip)
    images = torch.cat(
        [
            x
            for seed, epoch in ((0, 0), (1, 0), (0, 1))
            for x, _ in training_batches(settings, seed=seed, epoch=epoch)
        ]
    )
    assert len(images.flatten(1).unique(dim=0)) == len(images), "no two views are the same"
    less_red = images[:, 0, :, 0].mean(1) < images[:, 0, :, -1].mean(1)
    assert set(less_red.tolist()) == ({True, False} if flip else {True})


def test_every_seed_and_epoch_has_an_order_of_its_own(folder):
    settings = folder_settings(folder)
    orders = {
        tuple(torch.cat([labels for _, labels in training_batches(settings, **key)]).tolist())
        for key in ({}, {"seed": 1}, {"epoch": 1})
    }
    assert len(orders) == 3


def test_labels_are_those_of_the_folders(folder):
    test = load_splits(folder_settings(folder)).test
    assert [int(path.split(b"class")[1][:1]) for path in test.paths] == test.labels.tolist()
    assert test.labels.tolist() == [*range(CLASSES)] * 5


def test_evaluation_is_the_centre_of_the_folder_in_memory(tmp_path):
    # 28 * 256 / 224 = 32: nothing is resized.
    make_folder(tmp_path, [(32, 32)])
    streamed = load_splits(folder_settings(tmp_path, image_size=28))
    memory = load_splits(folder_settings(tmp_path, source=Source.FOLDER, image_size=32))
    for split in ("train", "validation", "test"):
        found = next(getattr(streamed, split).evaluation_batches(50))
        start, images, labels = next(getattr(memory, split).evaluation_batches(50))
        assert found[0] == start
        assert torch.equal(found[1], images[:, :, 2:30, 2:30])
        assert torch.equal(found[2], labels)


def test_first_and_select_keep_images_and_labels_together(folder):
    test = load_splits(folder_settings(folder)).test
    some = test.select(torch.tensor([7, 2])).first(1)
    assert len(some) == 1
    (_, image, label), *_ = some.evaluation_batches(4)
    (_, whole, labels), *_ = test.evaluation_batches(50)
    assert torch.equal(image[0], whole[7])
    assert label[0] == labels[7]
    assert len(test.first(None)) == len(test)


def test_ambiguous_test_folder_is_refused(tmp_path):
    make_folder(tmp_path, [(16, 16)])
    (tmp_path / "val").mkdir()
    with pytest.raises(ValueError, match="both test/ and val/"):
        load_splits(folder_settings(tmp_path))


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_image_is_named(tmp_path, workers):
    make_folder(tmp_path, [(16, 16)])
    (tmp_path / "test/class1/broken.png").write_bytes(np.zeros(9, np.uint8).tobytes())
    test = load_splits(folder_settings(tmp_path), workers=workers).test
    with pytest.raises(ValueError, match=r"^\S*broken\.png is no image; replace or remove it$"):
        list(test.evaluation_batches(50))


def test_skipped_streamed_batches_change_no_other(folder):
    settings = folder_settings(folder)
    whole, train = training_batches(settings), load_splits(settings).train
    for skip in (1, 2):
        assert_same(list(train.training_batches(settings, 8, 0, 0, skip=skip)), whole[skip:])
    assert not list(train.training_batches(settings, 8, 0, 0, skip=3))

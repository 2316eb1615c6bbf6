"""Labelled images in memory: floats, augmentation, batches."""

import dataclasses
from collections import Counter

import pytest
import torch

from rst_core.data.images import Images, as_float
from tests.conftest import DIGITS


def test_images_are_in_the_unit_interval_channels_last(digits):
    images = as_float(digits.test.pixels)
    assert 0 <= images.min() < images.max() <= 1
    assert images.is_contiguous(memory_format=torch.channels_last)


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


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_skipped_batches_change_no_other(digits, tmp_path, skip):
    whole = list(digits.train.training_batches(DIGITS, 300, 0, 3))
    rest = list(digits.train.training_batches(DIGITS, 300, 0, 3, skip=skip))
    assert len(whole) == len(rest) + skip
    for (one, labels), (other, same) in zip(whole[skip:], rest, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(labels, same)


def test_batches_are_seeded_shuffled_and_complete(few_digits):
    def labels(seed, epoch):
        return torch.cat([y for _, y in few_digits.train.training_batches(DIGITS, 32, seed, epoch)])

    first = labels(0, 0)
    assert torch.equal(first, labels(0, 0))
    assert not torch.equal(first, labels(0, 1))
    assert not torch.equal(first, labels(1, 0))
    assert torch.equal(first.sort().values, few_digits.train.labels.sort().values)

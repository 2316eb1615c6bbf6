"""The files of a dataset, looked at but not read."""

import dataclasses
from pathlib import Path

import pytest

from rst_core.data import source_files
from rst_core.vocabulary import Source
from tests.conftest import DIGITS


def written(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"image")


def test_an_image_that_moves_to_another_class_changes_the_fingerprint_of_the_files(tmp_path):
    written(tmp_path, "train/a/0.png", "train/b/1.png", "train/b/2.png")
    settings = dataclasses.replace(DIGITS, source=Source.FOLDER, path=str(tmp_path))
    before = source_files.fingerprint(settings)
    (tmp_path / "train/b/1.png").rename(tmp_path / "train/a/1.png")
    assert source_files.fingerprint(settings) != before


@pytest.mark.parametrize("source", [Source.FOLDER, Source.STREAMED_FOLDER])
def test_test_images_may_be_in_val_and_count_alike(source, tmp_path):
    written(tmp_path, "train/a/0.png", "val/a/1.png")
    settings = dataclasses.replace(DIGITS, source=source, path=str(tmp_path), crop_padding=0)
    before = source_files.fingerprint(settings)
    written(tmp_path, "val/b/2.png")
    assert source_files.fingerprint(settings) != before
    assert source_files.split_folders(tmp_path) == (tmp_path / "train", tmp_path / "val")


def test_two_folders_of_test_images_are_refused(tmp_path):
    written(tmp_path, "test/a/0.png", "val/a/1.png")
    with pytest.raises(ValueError, match=r"both test/ and val/; allowed is one of them"):
        source_files.split_folders(tmp_path)

"""The files of a dataset, looked at but not read."""

import dataclasses
import os

import pytest

from rst_core.data import source_files
from rst_core.vocabulary import Source
from tests.conftest import DIGITS


def folder_of(path, source, test="test"):
    for name in ("train/a/0.png", "train/b/1.png", f"{test}/b/2.png"):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"image")
        os.utime(file, (1, 1))
    return dataclasses.replace(DIGITS, source=source, path=str(path), crop_padding=0)


@pytest.mark.parametrize("test", ["test", "val"])
@pytest.mark.parametrize("change", ["class", "size", "time"])
def test_a_file_that_changes_its_class_size_or_time_changes_the_fingerprint(tmp_path, change, test):
    settings = folder_of(tmp_path, Source.FOLDER, test)
    before, file = source_files.fingerprint(settings), tmp_path / test / "b/2.png"
    match change:
        case "class":
            (tmp_path / test / "a").mkdir()
            file.rename(tmp_path / test / "a/2.png")
        case "size":
            file.write_bytes(b"another")
            os.utime(file, (1, 1))
        case "time":
            os.utime(file, (2, 2))
        case _:
            raise AssertionError(change)
    assert source_files.fingerprint(settings) != before


@pytest.mark.parametrize("test", ["test", "val"])
def test_a_new_streamed_file_changes_the_fingerprint(tmp_path, test):
    settings = folder_of(tmp_path, Source.STREAMED_FOLDER, test)
    before = source_files.fingerprint(settings)
    os.utime(tmp_path / test / "b", (1, 1))
    assert source_files.fingerprint(settings) != before
    assert source_files.split_folders(tmp_path) == (tmp_path / "train", tmp_path / test)


def test_two_folders_of_test_images_are_refused(tmp_path):
    folder_of(tmp_path, Source.FOLDER)
    (tmp_path / "val").mkdir()
    with pytest.raises(ValueError, match=r"both test/ and val/; allowed is one of them"):
        source_files.split_folders(tmp_path)

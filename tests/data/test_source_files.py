"""The files of a dataset, looked at but not read."""

import dataclasses

from rst_core.data import source_files
from rst_core.vocabulary import Source
from tests.conftest import DIGITS


def test_an_image_that_moves_to_another_class_changes_the_fingerprint_of_the_files(tmp_path):
    for place in ("train/a/0.png", "train/b/1.png", "train/b/2.png"):
        file = tmp_path / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"image")
    settings = dataclasses.replace(DIGITS, source=Source.FOLDER, path=str(tmp_path))
    before = source_files.fingerprint(settings)
    (tmp_path / "train/b/1.png").rename(tmp_path / "train/a/1.png")
    assert source_files.fingerprint(settings) != before

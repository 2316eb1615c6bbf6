"""A folder of 16 images of two classes."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from tests.data.folders import FOLDER


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

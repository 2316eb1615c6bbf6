"""Image files: whole or refused by name, and known by their bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rst_core.data.image_files import fingerprint, fingerprints, read_rgb
from rst_core.job.cli import main
from tests.data.folders import put, streamed
from tests.job.flags import to_flags


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


#: Modes of 8 bits, by form.
MODES = {
    "png": ["1", "L", "LA", "P", "RGB", "RGBA"],
    "tiff": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"],
    "bmp": ["1", "L", "P", "RGB", "RGBA"],
    "jpeg": ["1", "L", "RGB", "CMYK"],
}


@pytest.mark.parametrize(
    ("form", "mode"), [(form, mode) for form, modes in MODES.items() for mode in modes]
)
def test_images_of_8_bits_are_taken_whatever_their_mode(tmp_path, form, mode):
    path = tmp_path / f"image.{form}"
    Image.fromarray(np.full((8, 8, 3), 77, np.uint8)).convert(mode).save(path)
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


def test_many_images_are_checked_by_several_processes(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("rst_core.data.image_files._MANY", 2)
    paths = sorted((tmp_path / "train" / "dog").iterdir())
    assert list(fingerprints(paths, "dogs")) == [fingerprint(path) for path in paths]
    put(paths[3], "truncated")
    with pytest.raises(ValueError, match=r"^\S*0003.png is no readable image"):
        list(fingerprints(paths, "dogs"))

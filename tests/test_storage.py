"""Files whole or not at all, read without executing anything, and known by their contents."""

import pytest
import torch

from rst_core.models.files import read_model
from rst_core.storage import (
    DamagedFileError,
    OtherVersionError,
    digest,
    load_tensors,
    remove_parts,
    save_tensors,
)


def test_a_digest_is_of_values_types_and_places():
    numbers = torch.arange(6, dtype=torch.float32)
    different = [
        {"a": numbers},
        {"b": numbers},
        {"a": numbers.view(2, 3)},
        {"a": numbers.int()},
        {"a": numbers + 1},
        {"a": [0.0, 1.0]},
        {"a": ["0.0", "1.0"]},
        {"a": [0.0, [1.0]]},
        {"a": [], "b": []},
        {"a": {"b": []}},
        {"a": None},
        {},
    ]
    assert len({digest(content) for content in different}) == len(different)
    transposed = torch.arange(6.0).view(2, 3).T
    assert digest({"a": 1, "b": transposed}) == digest({"b": transposed.contiguous(), "a": 1})


def test_files_are_inert_and_damage_is_said(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    torch.save({"format": 1, "x": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(OtherVersionError, match="has Model format None"):
        load_tensors(tmp_path / "evil.pt", "Model")
    (tmp_path / "cut.pt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(
        DamagedFileError, match="is damaged: it is truncated, or not a file of this program"
    ):
        read_model(tmp_path / "cut.pt")
    save_tensors(tmp_path / "old.pt", {}, "Model", {"format": 3})
    with pytest.raises(OtherVersionError, match="has Model format 3, and this version reads 4"):
        read_model(tmp_path / "old.pt")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        read_model(tmp_path / "none.pt")


def test_parts_of_killed_writers_go_and_those_of_other_files_stay(tmp_path):
    for name in (".state.pt.a1b2.part", ".state.pt.c3.part", ".other.pt.d4.part", "state.pt"):
        (tmp_path / name).write_text("x")
    remove_parts(tmp_path / "state.pt")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.pt.d4.part", "state.pt"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "model.pt"
    save_tensors(path, {"kept": 1}, "Model")

    class Unwritable:
        def __reduce__(self):
            raise RuntimeError("disk full, say")

    with pytest.raises(RuntimeError, match="disk full"):
        save_tensors(path, {"x": Unwritable()}, "Model")
    assert load_tensors(path, "Model")[1] == {"kept": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]

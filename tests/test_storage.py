"""Files whole or not at all, read without executing anything, and known by their contents."""

import os

import pytest
import torch

from rst_core.models.files import read_model
from rst_core.storage import (
    DamagedFileError,
    OtherVersionError,
    digest,
    load_tensors,
    read_header,
    read_json,
    remove_parts,
    save_tensors,
    write_json,
    write_text,
)


def test_a_digest_is_of_values_types_and_places():
    numbers = torch.arange(6, dtype=torch.float32)
    different = [
        {"a": numbers},
        {"b": numbers},
        {"a": numbers.view(2, 3)},
        {"a": torch.zeros(6)},
        {"a": torch.zeros(6).int()},
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


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        (b'"x": 1', b'"x": 2', "Page", "its checksum does not match its contents"),
        (b"", b"", "Model", "it holds a Page where a Model is expected"),
    ],
)
def test_a_document_that_was_changed_or_is_of_another_kind_is_refused(
    tmp_path, old, new, kind, message
):
    path = tmp_path / "page.json"
    write_json(path, {"format": 1, "kind": "Page", "x": 1})
    assert read_json(path, "Page", 1) == {"format": 1, "kind": "Page", "x": 1}
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(DamagedFileError, match=message):
        read_json(path, kind, 1)


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        (b"\x07" * 64, b"\x07" * 63 + b"\x08", "Model", "its contents do not match its digest"),
        (b'"epoch": 3', b'"epoch": 4', "Model", "its checksum does not match its contents"),
        (b"", b"", "Checkpoint", "it holds a Model where a Checkpoint is expected"),
    ],
)
def test_tensors_that_were_changed_or_are_of_another_kind_are_refused(
    tmp_path, old, new, kind, message
):
    path = tmp_path / "model.pt"
    save_tensors(path, torch.full((64,), 7, dtype=torch.uint8), "Model", {"epoch": 3})
    assert read_header(path, "Model")["epoch"] == 3
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(DamagedFileError, match=message):
        load_tensors(path, kind)


def test_a_header_that_does_not_fit_is_an_error_and_no_file(tmp_path):
    with pytest.raises(ValueError, match="at most 65535 fit"):
        save_tensors(tmp_path / "model.pt", {}, "Model", {"text": 70_000 * "x"})
    assert not list(tmp_path.iterdir())


def test_the_group_may_read_what_the_umask_lets_it(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "page.txt", "text")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert (tmp_path / "page.txt").stat().st_mode & 0o777 == 0o640

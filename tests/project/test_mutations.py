"""Files of every kind, mutated: each loads to the same contents, or the project says why not.

Some mutations recompute the digests, as a faulty program would: what is read must then still be
possible and of the file's own name.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rst_core.data.manifest import Manifest
from rst_core.identity import split_cell_path
from rst_core.storage import checksum, load_tensors, read_header, save_tensors, write_json
from tests.project.mutated import World, assert_same_or_refused, edited, judge, many, seen


@pytest.fixture(scope="module")
def world(tmp_path_factory, few_digits) -> World:
    return World(tmp_path_factory.mktemp("world"), few_digits)


def flip(data: bytearray, at: int, how: int) -> bytes:
    data[at] ^= 1 << how % 8
    return bytes(data)


BYTES: list[Callable[[bytearray, int, int], bytes]] = [
    flip,
    lambda data, at, how: flip(bytearray(flip(data, at, how)), how % len(data), at),
    lambda data, at, how: bytes(data[:at]),
    lambda data, at, how: bytes(data[at:]),
    lambda data, at, how: bytes(data[:at] + data[at + 1 + how % 64 :]),
    lambda data, at, how: bytes(data[:at] + bytes(how % 64) + data[at:]),
    lambda data, at, how: bytes(data) + bytes(data[:at]),
    lambda data, at, how: bytes(data[:at] + bytes(len(data) - at)),
]


@many(2000)
@given(st.data())
def test_no_damaged_byte_is_read(world, data):
    path = data.draw(st.sampled_from(list(world.readers)))
    content = path.read_bytes()
    # Ends are where headers, checksums and lengths are.
    place = st.integers(0, len(content) - 1)
    end = st.integers(max(0, len(content) - 60), len(content) - 1)
    at, how = data.draw(place | end), data.draw(st.integers(0, 1 << 16))
    change = data.draw(st.sampled_from(BYTES))
    assert_same_or_refused(
        world, path, lambda p: p.write_bytes(change(bytearray(content), at, how))
    )


def test_no_file_is_read_under_anothers_name(world):
    for path, other in itertools.permutations(world.readers, 2):
        found = judge(world, path, lambda p, other=other: shutil.copyfile(other, p))
        assert found is None, f"{other} was read as {path}"


@many(600)
@given(st.data())
def test_no_edited_field_of_a_json_file_is_read(world, data):
    path = data.draw(st.sampled_from(world.of(".json")))
    value = edited(data, json.loads(path.read_text()))
    assert_same_or_refused(world, path, lambda p: p.write_text(json.dumps(value)))


@many(900)
@given(st.data())
def test_an_edit_that_renews_the_checksum_is_still_possible_and_the_cells_own(world, data):
    path = data.draw(st.sampled_from(world.of(".json")))
    value = edited(data, {k: v for k, v in json.loads(path.read_text()).items() if k != "check"})
    found = judge(world, path, lambda p: write_json(p, value))
    if found is None or isinstance(found, Manifest):
        return
    before = json.loads(path.read_text())
    cell = split_cell_path(path.as_posix())[1]
    assert found["cell"] == cell.path
    for name in ("kind", "axes", "settings", "keys", "key"):
        # What has no key, or is of another version of the science, is never fresh.
        never_fresh = found["key"] is None or found["science"] != before["science"]
        assert found[name] == before[name] or never_fresh
    for result in found["results"]:
        for measure in ("natural", "robust") if "model" in result else ():
            counted = result[measure]
            assert 0 <= counted["correct"] <= counted["total"] == found["images"]["attacked"]


def write_header(path: Path, header: dict[str, Any], *, renewed: bool) -> None:
    """Put another header into a tensor file."""
    data = path.read_bytes()
    at = data.rfind(b"PK\x05\x06") + 22
    if renewed:
        header = {k: v for k, v in header.items() if k != "header"}
        header = {**header, "header": checksum(header)}
    text = json.dumps(header).encode()
    path.write_bytes(data[: at - 2] + struct.pack("<H", len(text)) + text)


@many(400)
@given(st.data(), st.booleans())
def test_no_edited_header_of_a_tensor_file_is_read(world, data, renewed):
    path = data.draw(st.sampled_from(world.of(".pt")))
    full = json.loads(path.read_bytes()[path.read_bytes().rfind(b"PK\x05\x06") + 22 :])
    value = edited(data, {k: v for k, v in full.items() if k != "header" or not renewed})
    found = judge(world, path, lambda p: write_header(p, value, renewed=renewed))
    if found is None or not isinstance(found, tuple):
        return
    header, contents = found[:2]
    before = read_header(path)
    assert seen(contents) == seen(world.readers[path](path)[1])
    if before["kind"] == "Model":
        for name in ("identity", "contents", "network", "head", "bases"):
            assert header[name] == before[name]
        assert (header["settings"], header["key"]) == (before["settings"], before["key"]) or (
            header["key"] is None or header["science"] != before["science"]
        )


def poked(value: torch.Tensor) -> torch.Tensor:
    value = value.clone()
    value[(0,) * value.dim()] = torch.nan
    return value


#: Tensors that are none of the network's, by what is wrong with them.
TENSORS: dict[str, Callable[[torch.Tensor], Any]] = {
    "shape": lambda t: t[None],
    "length": lambda t: t.flatten()[:-1],
    "scalar": lambda t: torch.tensor(1.0),
    "type": lambda t: t.to(torch.float16) if t.is_floating_point() else t.float(),
    "list": lambda t: t.flatten()[:3].tolist(),
    "nothing": lambda t: None,
    "text": lambda t: "tensor",
    "sparse": lambda t: t.float().to_sparse(),
    "not finite": lambda t: poked(t) if t.is_floating_point() else t.flatten()[:0],
    "meta": lambda t: torch.empty_like(t, device="meta"),
}


def tensors_in(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, torch.Tensor):
        return [path]
    parts = value.items() if isinstance(value, dict) else ()
    return [found for key, part in parts for found in tensors_in(part, (*path, key))]


@many(300)
@given(st.data())
def test_no_other_tensor_is_read_whatever_its_digests_say(world, data):
    path = data.draw(st.sampled_from([p for p in world.of(".pt") if p.name != "packed.pt"]))
    header, contents = load_tensors(path, read_header(path)["kind"])
    named = [
        place for place in tensors_in(contents)
        if place[0] in ("weights", "masks", "batch_norm", "variables", "buffers", "optimiser")
    ] or tensors_in(contents)  # fmt: skip
    place = data.draw(st.sampled_from(named))
    within = contents
    for key in place[:-1]:
        within = within[key]
    if "batches" not in place and data.draw(st.integers(0, 9)) == 0:
        del within[place[-1]]
    else:
        within[place[-1]] = TENSORS[data.draw(st.sampled_from(sorted(TENSORS)))](within[place[-1]])
    header = {k: v for k, v in header.items() if k not in ("file", "header", "format", "kind")}
    kind = read_header(path)["kind"]
    assert_same_or_refused(world, path, lambda p: save_tensors(p, contents, kind, header))


class Hostile:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def test_no_hostile_pickle_is_executed_whatever_its_digests_say(world, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in world.of(".pt"):
        header, contents = load_tensors(path, read_header(path)["kind"])
        kind = header.pop("kind")
        for name in ("file", "format"):
            del header[name]
        hostile = [
            Hostile(os.system, "touch executed"),
            Hostile(exec, "open('executed', 'w')"),
            Hostile(eval, "open('executed', 'w')"),
            Hostile(Path("executed").touch.__func__, Path("executed")),
        ]
        for one, whole in itertools.product(hostile, (True, False)):
            value = one if whole else {**contents, next(iter(contents)): one}
            found = judge(world, path, lambda p, v=value: save_tensors(p, v, kind, header))  # noqa: B023
            assert found is None
    assert not Path("executed").exists()

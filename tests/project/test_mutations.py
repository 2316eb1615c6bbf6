"""Files of every kind, mutated: each loads to the same contents, or the project says why not.

Some mutations recompute the digests, as a faulty program would: what is read must then still be
possible and of the file's own name.
"""

from __future__ import annotations

import copy
import dataclasses
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rst_core.data.manifest import Manifest, read_manifest, write_manifest
from rst_core.data.sources import save_packed
from rst_core.identity import (
    Dense,
    Evaluation,
    FeatureDistance,
    FineTuned,
    TrainingCell,
    TransferRow,
    Untrained,
    split_cell_path,
)
from rst_core.job.cells import make
from rst_core.job.checkpoint import KIND, Checkpoint
from rst_core.job.preemption import Preemption
from rst_core.job.recipe import FeaturesRecipe, TrainingRecipe
from rst_core.models.files import read_model
from rst_core.records import read_cell
from rst_core.settings import TrainingSettings
from rst_core.storage import (
    DamagedFileError,
    FileError,
    checksum,
    digest,
    load_tensors,
    read_header,
    save_tensors,
    write_json,
)
from rst_core.training.loop import Run, train
from rst_core.training.state import restored
from rst_core.vocabulary import AttackMethod, Selection, Start
from tests.attacks.attack_examples import EXAMPLES
from tests.conftest import DIGITS, NARROW, NETWORK, attack_cell, manifest, rst
from tests.training.test_loop import dense

BEST = Selection.BEST_VAL
SHORT = TrainingSettings(epochs=2, batch_size=400, lr=0.05, decay_epochs=(), validation_steps=1)


def many(count: int) -> Callable[[Any], Any]:
    """So many mutations, the same ones every time."""
    health = list(HealthCheck)
    return settings(
        max_examples=count, deadline=None, database=None, derandomize=True,
        suppress_health_check=health,
    )  # fmt: skip


class World:
    """One file of every kind below a folder, with its reader and what that reads."""

    def __init__(self, folder: Path, few: Any) -> None:
        self.root = folder / "results/cells"
        self.readers: dict[Path, Callable[[Path], Any]] = {}
        write_manifest(folder / "results/data/digits.json", manifest())
        self.readers[folder / "results/data/digits.json"] = read_manifest
        self.models()
        self.cells()
        self.unfinished(folder / "results/checkpoints", few)
        self.known = {path: seen(read(path)) for path, read in self.readers.items()}

    def models(self) -> None:
        training = dataclasses.replace(SHORT, epochs=1)
        for model in (
            Dense(NETWORK, None),
            rst(0.3),
            rst(0.1),
            FineTuned(rst(0.3), Start.INHERITED),
        ):
            recipe = TrainingRecipe(self.root, manifest(), model, NARROW, training, [BEST])
            make(recipe)
            self.readers[recipe.outputs[0]] = read_model

    def cells(self) -> None:
        counted = dataclasses.replace(EXAMPLES[AttackMethod.BANDITS], images=20)
        evaluation = Evaluation(rst(0.3), BEST, counted.name, counted.eps)
        attack_cell(self.root, evaluation, counted, 20)
        pgd = EXAMPLES[AttackMethod.PGD]
        row = TransferRow(rst(0.3), BEST, "tickets", pgd.name, pgd.eps)
        attack_cell(self.root, row, pgd, 200, [TrainingCell(rst(k), BEST) for k in (0.3, 0.1)])
        noise = FeatureDistance(Untrained(NETWORK), None)
        make(FeaturesRecipe(self.root, manifest(), noise, NARROW, (4.0, 8.0)))
        for cell in (evaluation, row, noise):
            self.readers[self.root / cell.path] = read_cell

    def unfinished(self, folder: Path, few: Any) -> None:
        run = Run("d/n/run", None, SHORT, DIGITS, (BEST,), 0)
        checkpoint = Checkpoint("run", folder / "run/state.pt", "a key", Preemption())
        train(dense(), few, run, checkpoint)

        trainee = dense()
        optimiser = torch.optim.SGD(list(trainee.variables.values()), lr=0.1)

        def read(path: Path) -> Any:
            _, saved = load_tensors(path, KIND)
            try:
                restored(saved, trainee, optimiser)
            except ValueError as error:
                raise DamagedFileError(path, str(error)) from error
            return saved

        self.readers[checkpoint.path] = read
        save_packed(folder / "packed.pt", few.train, few.test)
        self.readers[folder / "packed.pt"] = lambda path: load_tensors(path, "PackedImages")

    def of(self, *suffixes: str) -> list[Path]:
        return [path for path in self.readers if path.suffix in suffixes]


def seen(content: Any) -> str:
    return digest(dataclasses.asdict(content) if isinstance(content, Manifest) else content)


@pytest.fixture(scope="module")
def world(tmp_path_factory, few_digits) -> World:
    return World(tmp_path_factory.mktemp("world"), few_digits)


def judge(world: World, path: Path, mutate: Callable[[Path], None]) -> Any:
    """What the reader says of a mutated file, which is put back; None if it refused it."""
    kept = path.read_bytes()
    try:
        mutate(path)
        return world.readers[path](path)
    except FileError as error:
        text = str(error)
        assert str(path) in text
        assert "\n" not in text
        return None
    finally:
        path.write_bytes(kept)


def assert_same_or_refused(world: World, path: Path, mutate: Callable[[Path], None]) -> None:
    found = judge(world, path, mutate)
    assert found is None or seen(found) == world.known[path]


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


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where every part of a JSON value is."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, part in parts:
        found.append((*path, key))
        if isinstance(part, dict | list):
            found += places(part, (*path, key))
    return found


ODD = [
    None, True, False, -1, 0, 1, 3600, 0.5, -5.0, 8.0, 1e308, "", "x", "digits", [], {}, [1],
    "0" * 64,
]  # fmt: skip


def edited(data: Any, value: dict[str, Any]) -> dict[str, Any]:
    """One field of a JSON object changed, removed, or another's value, or a new field."""
    value = copy.deepcopy(value)
    place = data.draw(st.sampled_from(places(value)))
    within = value
    for key in place[:-1]:
        within = within[key]
    match data.draw(st.sampled_from(["odd", "near", "other", "none", "new"])):
        case "odd":
            within[place[-1]] = data.draw(st.sampled_from(ODD))
        case "near":
            within[place[-1]] = near(within[place[-1]])
        case "other":
            other = data.draw(st.sampled_from(places(value)))
            found = value
            for key in other:
                found = found[key]
            within[place[-1]] = copy.deepcopy(found)
        case "none":
            del within[place[-1]]
        case _:
            within[place[-1]] = {"x": within[place[-1]]}
    return value


def near(value: Any) -> Any:
    """A value of the same type close by."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "a"
        case list():
            return value[::-1]
        case _:
            return {}


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
        assert found[name] == before[name] or found["science"] != before["science"]
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

"""One file of every kind with its reader, and what is changed in it."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hypothesis import HealthCheck, settings
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
)
from rst_core.job.cells import make
from rst_core.job.checkpoint import Checkpoint
from rst_core.job.preemption import Preemption
from rst_core.job.recipe import FeaturesRecipe, TrainingRecipe
from rst_core.models.files import read_model
from rst_core.records import read_cell
from rst_core.settings import TrainingSettings
from rst_core.storage import DamagedFileError, FileError, digest, load_tensors
from rst_core.training.loop import Run, train
from rst_core.training.state import restored
from rst_core.vocabulary import AttackMethod, Selection, Start
from tests.attacks.attack_examples import EXAMPLES
from tests.conftest import DIGITS, NARROW, NETWORK, attack_cell, manifest, rst
from tests.training.runs import dense

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
            recipe = TrainingRecipe(
                self.root, manifest(), model=model, network=NARROW, training=training,
                selections=(BEST,),
            )  # fmt: skip
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
            _, saved = load_tensors(path, "Checkpoint")
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

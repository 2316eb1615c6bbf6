"""Which results are fresh, and why the others are not."""

from __future__ import annotations

import copy
import dataclasses
import json

import pytest

from rst_core.identity import Evaluation, TrainingCell, TransferRow
from rst_core.job.commands import COMMANDS, parser
from rst_core.key import Inputs, cell_settings, same
from rst_core.storage import checksum, save_tensors, write_json
from tests.artifacts.made_up import IMAGES, record
from tests.artifacts.made_up_cells import write_dataset
from tests.conftest import ROOT
from tests.test_config import extended
from workflow import keys
from workflow.config import read_config
from workflow.keys import FAILED, Keys, State, stale_text
from workflow.matrix import Matrix

RAW = extended(ROOT / "demo" / "matrix.yaml")


def matrix_of(**training: object) -> Matrix:
    raw = copy.deepcopy(RAW)
    raw["training"]["digits"] |= training
    return Matrix(read_config(raw))


class World:
    """An RTT over a dense and an attack on it, all of them made as the config says."""

    def __init__(self, root) -> None:
        self.root, self.matrix = root, matrix_of()
        found = (c for c in self.matrix.cells("rtts") if isinstance(c, Evaluation))
        self.attack = next(c for c in found if c.model.path.count("rtt_adversarial"))
        (self.ticket,) = self.matrix.input_models(self.attack)
        (self.dense,) = self.matrix.input_models(self.ticket)
        self.contents: dict[str, str] = {}
        for model in (self.dense, self.ticket):
            self.train(model, "first")
        self.measure()

    def keys(self, matrix: Matrix | None = None, images: str | None = IMAGES) -> Keys:
        return Keys(matrix or self.matrix, lambda name: images, self.root)

    def train(self, model: TrainingCell, contents: str) -> None:
        keys = {base.path: self.keys().key(base) for base in self.matrix.input_models(model)}
        bases = {path: self.contents[path] for path in keys}
        inputs = Inputs(self.matrix.settings(model), IMAGES, bases, keys)
        self.contents[model.path] = checksum(contents)
        header = {
            **inputs.record_fields(model.path, "bases"),
            "identity": model.path,
            "contents": self.contents[model.path],
        }
        save_tensors(self.root / self.matrix.file(model), {}, "Model", header)

    def measure(self) -> None:
        found = record(self.attack, self.matrix, fresh=True)
        bases = {path: self.contents[path] for path in found["models"]}
        write_json(self.root / self.matrix.file(self.attack), {**found, "models": bases})

    def states(self, keys: Keys) -> list[str]:
        return [str(keys.state(cell)) for cell in (self.dense, self.ticket, self.attack)]


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


def test_what_was_made_as_the_config_says_is_fresh(world):
    assert world.states(world.keys()) == ["fresh", "fresh", "fresh"]
    (world.root / world.matrix.file(world.dense)).unlink()
    assert world.states(world.keys()) == ["missing", "fresh", "fresh"]


def test_another_setting_makes_all_that_depends_on_it_stale_and_is_named(world):
    keys = world.keys(matrix_of(lr=0.05))
    assert world.states(keys) == ["stale", "stale", "stale"]
    assert keys.status(world.dense).reason == "made with lr 0.2, the config says 0.05"
    assert keys.status(world.attack).reason.startswith("the model below it is stale: ")
    raw = copy.deepcopy(RAW)
    raw["attacks"]["pgd20"]["steps"] = 3
    keys = world.keys(Matrix(read_config(raw)))
    assert world.states(keys) == ["fresh", "fresh", "stale"]
    assert keys.status(world.attack).reason == "made with steps 20, the config says 3"


@pytest.mark.parametrize(("images", "reason"), [("others", "made on other images"), (None, "not")])
def test_other_or_missing_images_make_everything_stale(world, images, reason):
    keys = world.keys(images=images and checksum(images))
    assert world.states(keys) == ["stale", "stale", "stale"]
    assert reason in keys.status(world.dense).reason


def test_a_dense_that_was_made_again_with_other_contents_makes_what_is_above_stale(world):
    world.train(world.dense, "first")
    assert world.states(world.keys()) == ["fresh", "fresh", "fresh"]
    world.train(world.dense, "second")
    assert world.states(world.keys()) == ["fresh", "stale", "stale"]
    assert "below it was made again" in world.keys().status(world.ticket).reason
    world.train(world.ticket, "first")
    assert world.states(world.keys()) == ["fresh", "fresh", "fresh"]
    world.train(world.ticket, "second")
    assert world.states(world.keys()) == ["fresh", "fresh", "stale"]


def test_a_file_of_another_cell_and_a_failure_are_no_results(world):
    path = world.root / world.matrix.file(world.attack)
    other = dataclasses.replace(world.attack, eps=16.0)
    text = path.read_bytes()
    write_json(path, record(other, world.matrix, fresh=True))
    assert world.keys().state(world.attack) is State.STALE
    path.write_bytes(text[:-10])
    assert world.keys().status(world.attack).reason.startswith("damaged")
    path.write_text('{"failed": "out of memory", "log": "x"}')
    assert world.keys().state(world.attack) is State.MISSING
    assert world.keys().status(world.attack).reason == FAILED


def test_a_job_makes_the_configs_settings_of_its_path_and_a_document_without_what_that_says(
    tmp_path,
):
    matrix = matrix_of()
    for name in matrix.config.roles.datasets.values():
        write_dataset(tmp_path, name, matrix)
    measured = matrix.all_cells()
    trained = dict.fromkeys(base for cell in measured for base in matrix.input_models(cell))
    for cell in [*measured, *trained]:
        document = json.loads(matrix.document(cell))
        assert not document.get("attack", {}).keys() & {"name", "eps", "seed"}
        kind = type(cell.model if isinstance(cell, TrainingCell) else cell)
        (command,) = (n for n, c in COMMANDS.items() if kind in c.makes and n != "import")
        files = [str(tmp_path / matrix.file(cell)), "--settings", json.dumps(document)]
        if isinstance(cell, TransferRow):
            targets = matrix.targets(cell)
            files += ["--targets", *(str(tmp_path / matrix.file(target)) for target in targets)]
        data = tmp_path / matrix.manifest(cell.model.network.dataset)
        arguments = parser(None).parse_args([command, *files, "--data", str(data)])
        recipe = COMMANDS[command].job(arguments)
        parts = {name: getattr(recipe, name) for name in recipe.PARTS}
        assert same(cell_settings(recipe.data.settings, **parts), matrix.settings(cell)), cell.path


def test_reasons_are_grouped():
    stale = {f"{n}.json": "made with lr 0.1, the config says 0.05" for n in range(96)}
    assert stale_text(stale | {"other": "damaged"}).splitlines() == [
        "97 results are stale and made again:",
        "  96  made with lr 0.1, the config says 0.05 (0.json, …)",
        "  1  damaged (other)",
    ]
    assert stale_text({}) == ""


@pytest.mark.parametrize(
    "file", ["workflow/text.py", "workflow/paper/table3.csv", "workflow/paper/claims.yaml",
             "workflow/artifacts/claims/page.html", "rst_core/records.py"],
)  # fmt: skip
def test_what_is_shown_is_drawn_again_once_what_draws_it_has_changed(file, tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "__file__", str(tmp_path / "workflow/keys.py"))
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text("before")
    before = keys._code.__wrapped__()
    path.write_text("after")
    assert keys._code.__wrapped__() != before
    assert (ROOT / file).is_file()

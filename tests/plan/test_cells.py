"""``rst cells``: which cells words match, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rst_core.axes import cell_axes
from rst_core.identity import Cell, TrainingCell
from tests.conftest import ROOT
from tests.plan.examples import jobs_of, project_in
from tests.test_keys import World, matrix_of
from workflow import cli
from workflow.matrix import Matrix
from workflow.plan.cells import cells_text, find
from workflow.plan.project import PlanError, Project
from workflow.plan.targets import parts_of


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return matrix_of()


def test_without_words_it_lists_every_cell_and_every_model_once(project: Project) -> None:
    found = find(project.matrix, [])
    assert len(found) == len(set(found))
    assert set(found) == {job.cell for job in jobs_of(project, "all_cells")}


def test_all_words_must_match_and_roles_are_words(matrix: Matrix) -> None:
    found = find(matrix, ["resnet18", "cifar10", "rst", "keep=0.2", "pgd20"])

    def matches(cell: Cell) -> bool:
        axes = cell_axes(cell)
        names = ("network", "dataset", "model", "keep_ratio", "attack")
        return [axes[name] for name in names] == ["resnet18_narrow", "digits", "rst", 0.2, "pgd20"]

    assert set(found) == set(filter(matches, find(matrix, [])))
    assert found == find(matrix, ["Digits", "network=ResNet18", "RST", "keep_ratio=0.2", "pgd20"])
    assert set(find(matrix, ["experiment=rtts"])) == set(matrix.cells("rtts"))


def test_an_axis_keeps_a_value_apart_from_the_same_value_of_another(matrix: Matrix) -> None:
    sixteen = set(find(matrix, ["16"]))
    trained, attacked = (set(find(matrix, [f"{a}_eps=16"])) for a in ("trained", "attack"))
    assert sixteen == trained | attacked
    assert trained - attacked  # the search itself
    kinds = {type(cell) for cell in find(matrix, ["kind=search"])}
    assert kinds == {TrainingCell}


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("pgd21", "'pgd21' (did you mean pgd20"),
        ("keep=0.21", "allowed are keep_ratio=0.05|"),
        ("wrong=1", "'wrong' is no axis; allowed are kind, experiment, dataset, network"),
        ("t=1", "'t' may be trained_eps or targets; allowed are"),
    ],
)
def test_an_unknown_word_is_an_error_that_names_what_is_allowed(
    matrix: Matrix, word: str, told: str
) -> None:
    with pytest.raises(PlanError) as error:
        find(matrix, ["rst", word])
    assert told in str(error.value)


def test_words_that_no_cell_matches_together_are_an_error(matrix: Matrix) -> None:
    with pytest.raises(PlanError, match="no cell matches all of rst dense_natural"):
        find(matrix, ["rst", "dense_natural"])


def _row(text: str, path: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith("|") and path in line)
    return [part.strip() for part in line.strip("|").split("|")]


def test_states_and_values_are_those_of_the_files(tmp_path: Path) -> None:
    world = World(tmp_path)
    project = project_in(tmp_path)
    project.keys = world.keys()
    attack, ticket = (world.matrix.file(cell) for cell in (world.attack, world.ticket))
    (result,) = json.loads((tmp_path / attack).read_text())["results"]
    shares = (100 * result[m]["correct"] / result[m]["total"] for m in ("natural", "robust"))
    value = "natural {:.1f}, robust {:.1f}".format(*shares)
    text = cells_text(project, [world.attack, world.ticket])
    assert _row(text, attack) == ["fresh", value, attack]
    assert _row(text, ticket) == ["fresh", "", ticket]
    assert "2 cells: 2 fresh." in text

    project.keys = world.keys(matrix_of(lr=0.05))
    text = cells_text(project, [world.attack, world.ticket])
    assert _row(text, attack) == ["stale", value, attack]
    assert "made with lr 0.2, the config says 0.05" in text

    (tmp_path / attack).write_text("no record")
    project.keys = world.keys()
    assert _row(cells_text(project, [world.attack]), attack) == ["stale", "", attack]
    (tmp_path / attack).unlink()
    project.keys = world.keys()
    text = cells_text(project, [world.attack, world.ticket])
    assert _row(text, attack) == ["missing", "", attack]
    assert "2 cells: 1 missing, 1 fresh." in text


def test_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    words = ["cells", "--configfile", "demo/matrix.yaml", "cifar10", "kind=search", "keep=0.05"]
    assert cli.main([*words, "--paths"]) == 0
    project = Project(ROOT, [ROOT / "demo/matrix.yaml"])
    targets = parts_of(capsys.readouterr().out.splitlines(), project.matrix).values()
    found = find(project.matrix, ["digits", "kind=search", "keep=0.05"])
    assert list(targets) == [[cell] for cell in found]
    assert cli.main([*words, "pgd21"]) == 1
    said = capsys.readouterr()
    assert not said.out
    assert said.err.startswith("rst cells: no cell")
    assert said.err.count("\n") == 1

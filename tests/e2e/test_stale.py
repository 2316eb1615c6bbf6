"""Results that are not what the config asks for are made again, whatever Snakemake remembers."""

import copy
import json
import os
import shutil

import pytest
from PIL import Image

from rst_core.identity import Evaluation, TransferRow
from tests.e2e.conftest import (
    ARTIFACTS,
    CELLS,
    ONE_CELL,
    TINY,
    TRAINING,
    Project,
    copy_project,
    demo_with_made_up_cells,
)
from tests.workflow.test_config import PAPER
from workflow.artifacts.registry import FIGURES, TABLES
from workflow.config import read_config
from workflow.matrix import Matrix

pytestmark = pytest.mark.e2e

#: Everything that figures 1 and 7 and table 3 of the tiny matrix need.
ALL = {"search": 2, "train": 1, "attack": 3, "transfer": 2, "table": 1, "figure": 2}


def changed(key: str, value: object) -> dict:
    delta = copy.deepcopy(TINY)
    *parents, last = key.split(".")
    place = delta
    for part in parents:
        place = place[part]
    place[last] = value
    return delta


def plan(project: Project, *targets: str) -> str:
    found = project.run(*targets, "--dry-run", "--quiet", "rules")
    assert found.returncode == 0, found.stderr
    return found.stdout + found.stderr


@pytest.fixture
def copied(finished, tmp_path) -> Project:
    """The results alone, copied: no ``.snakemake``, and all files of another time."""
    project = copy_project(tmp_path)
    shutil.copytree(finished.folder / "results", tmp_path / "results", copy_function=shutil.copy)
    return project


def test_copied_and_touched_results_are_made_by_nobody_again(copied):
    assert copied.planned(*ARTIFACTS) == {}
    for path in sorted(copied.folder.glob("results/**/*.*"), reverse=True):
        os.utime(path)
    assert copied.planned(*ARTIFACTS) == {}


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("training.tiny.lr", 0.05, "4  searched with lr 0.1, the config says 0.05"),
        (
            "datasets.digits.images.validation_images",
            800,
            "searched with validation_images 900, the config says 800",
        ),
        ("datasets.digits.images.variant", "street", "searched with variant plain, the config"),
    ],
)
def test_copied_results_of_another_config_are_all_stale_and_it_says_why(copied, key, value, reason):
    copied.config(changed(key, value))
    assert copied.planned(*ARTIFACTS) == ALL
    assert reason in plan(copied, *ARTIFACTS)
    # Whatever is asked for, also where a manifest of the other images is there already.
    planned = copied.planned("results/figures/fig7.png", TRAINING)
    assert (planned["transfer"], planned["training_curves"]) == (2, 1)


def test_after_a_run_another_matrix_is_made_by_the_first_command_and_nothing_of_the_old(changeable):
    figure = changeable.folder / "results/figures/fig7.csv"
    before, other = figure.read_text(), changed("training.tiny.lr", 0.05)
    other["attacks"]["pgd20"]["steps"] = 3
    other["datasets"]["digits"]["images"] |= {"variant": "street", "validation_images": 800}
    changeable.config(other)
    # The manifest alone, made first, hides nothing.
    assert changeable.run("results/data/digits.json").returncode == 0
    assert changeable.planned(*ARTIFACTS) == ALL
    found = changeable.run("results/figures/fig7.png")
    assert found.returncode == 0, found.stderr
    assert figure.read_text() != before
    rows = [json.loads(path.read_text()) for path in changeable.folder.glob(f"{CELLS}/*/*/tran*")]
    assert [row["settings"]["attack"]["steps"] for row in rows] == [3, 3]
    images = json.loads((changeable.folder / "results/data/digits.json").read_text())
    assert {row["dataset_digest"] for row in rows} == {images["digest"]}
    assert changeable.planned("results/figures/fig7.png") == {}
    # Back again, what was made in between is no more of the old matrix than the other way round.
    changeable.config(TINY)
    assert changeable.planned("results/figures/fig7.png")["transfer"] == 2


def test_the_demos_results_stand_for_nothing_in_the_papers_matrix(tmp_path):
    demo = demo_with_made_up_cells(tmp_path)
    assert demo.planned("results/demo/figures/fig7.png") == {"figure": 1}
    demo.config({"seeds": [0]})
    jobs = demo.planned(
        "results/figures/fig7.png", "results/tables/table3.csv", "--profile", "slurm"
    )
    assert {"data", "search", "attack", "transfer", "table", "figure"} <= jobs.keys()
    matrix = Matrix(read_config(PAPER | {"seeds": [0]}))
    shown = {c for a in (FIGURES["fig7"], TABLES["table3"]) for c in a.cells(matrix)}
    assert jobs["transfer"] == sum(isinstance(cell, TransferRow) for cell in shown)
    assert jobs["attack"] == sum(isinstance(cell, Evaluation) for cell in shown)


def test_another_run_in_the_same_folder_shares_nothing(changeable):
    changeable.config(changed("run", "other"))
    elsewhere = [path.replace("results/", "results/other/") for path in ARTIFACTS]
    assert changeable.planned(*elsewhere) == ALL
    assert "are stale" not in plan(changeable, *elsewhere)
    changeable.config(TINY)
    assert changeable.planned(*ARTIFACTS) == {}


def test_a_damaged_cell_is_made_again_with_what_shows_it(changeable):
    cell = changeable.folder / ONE_CELL
    cell.write_text(cell.read_text().replace('"correct": ', '"correct": 9', 1))
    assert changeable.planned(*ARTIFACTS) == {"attack": 1, "figure": 1}


def test_artifacts_that_were_changed_by_hand_are_in_no_report_and_made_again(changeable):
    for name in (
        "tables/table3.csv",
        "pages/fig7/Figure 7 - adversarial transferability between RSTs.html",
    ):
        path = changeable.folder / "results" / name
        path.write_text(path.read_text().replace("1", "2"))
    found = changeable.run("results/tables/table3.csv", "--report", "report.html")
    assert found.returncode != 0
    assert "stale and in no report: changed, or a file made with it was" in found.stderr
    assert changeable.planned(*ARTIFACTS) == {"table": 1, "figure": 1}


def test_a_figure_without_its_page_is_drawn_again(copied):
    shutil.rmtree(copied.folder / "results/pages")
    assert copied.planned("results/figures/fig7.png") == {"figure": 1}


def test_no_report_shows_a_stale_page(copied):
    copied.config(changed("training.tiny.lr", 0.05))
    found = copied.run("results/figures/fig7.png", "--report", "report.html")
    assert found.returncode != 0
    assert "stale and in no report: " in found.stdout + found.stderr
    assert not (copied.folder / "report.html").exists()


def test_changed_science_code_draws_everything_again_and_computes_nothing(changeable):
    source = changeable.folder / "rst_core/measures/expected.py"
    source.write_text(source.read_text() + "\n# another formula\n")
    assert changeable.planned(*ARTIFACTS) == {"table": 1, "figure": 2}


@pytest.fixture(scope="module")
def on_images(tmp_path_factory) -> Project:
    """One ticket and its attack on a folder of images."""
    project = copy_project(tmp_path_factory.mktemp("images"))
    draw(project, "images", 0)
    project.config(image_config("images"))
    found = project.run(ON_IMAGES)
    assert found.returncode == 0, found.stderr
    return project


ON_IMAGES = CELLS.replace("results", "results/drawn") + (
    "/rst-keep0.2-element-pgd7-eps8/best_val/pgd20-eps8.json"
)


def image_config(path: str) -> dict:
    delta = copy.deepcopy(TINY) | {"run": "drawn"}
    delta["datasets"]["digits"]["images"] |= {
        "source": "folder", "path": path, "classes": 2, "validation_images": 4,
    }  # fmt: skip
    return delta


def draw(project: Project, folder: str, shade: int) -> None:
    for split in ("train", "test"):
        for number in range(16):
            path = project.folder / folder / split / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8), (10 * number, shade, 0)).save(path)


def test_other_images_make_everything_on_them_stale_and_touched_ones_nothing(on_images):
    assert on_images.planned(ON_IMAGES) == {}
    for path in on_images.folder.glob("images/**/*.png"):
        os.utime(path, (1, 1))
    assert on_images.planned(ON_IMAGES) == {}
    shutil.copytree(on_images.folder / "images", on_images.folder / "elsewhere")
    on_images.config(image_config("elsewhere"))
    assert on_images.planned(ON_IMAGES) == {}
    draw(on_images, "others", 200)
    on_images.config(image_config("others"))
    assert on_images.planned(ON_IMAGES) == {"search": 1, "attack": 1}
    assert "made on other images" in plan(on_images, ON_IMAGES)
    draw(on_images, "images", 100)
    on_images.config(image_config("images"))
    assert on_images.planned(ON_IMAGES) == {"search": 1, "attack": 1}

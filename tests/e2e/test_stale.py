"""Results that are not what the config asks for are made again, whatever Snakemake remembers."""

import json
import os
import shutil
import tarfile
from collections import Counter

import pytest
from PIL import Image

from rst_core.records import unpack_outcomes
from tests.conftest import SHARED_DATA
from tests.e2e.conftest import (
    ARTIFACTS,
    CELLS,
    ONE_CELL,
    SLURM,
    TINY,
    TRAINING,
    Project,
    copy_project,
    tiny,
)
from tests.slurm.demo import overlaps, provenances

pytestmark = pytest.mark.e2e

#: Everything that figures 1 and 7 and table 3 of the tiny matrix need.
ALL = {"search": 2, "train": 1, "attack": 3, "transfer": 2, "table": 1, "figure": 2}
FIGURE = ARTIFACTS[2]
WORKSTATION = ("--profile", "workstation")
OTHER_LR = {"tiny": {"lr": 0.05}}


@pytest.fixture
def copied(finished, tmp_path) -> Project:
    """The results alone, copied: no ``.snakemake``, and all files of another time."""
    project = copy_project(tmp_path)
    shutil.copytree(finished.folder / "results", tmp_path / "results", copy_function=shutil.copy)
    return project


def test_nothing_is_left_to_do(finished):
    assert finished.planned(*ARTIFACTS, TRAINING, ONE_CELL) == {}


def test_copied_and_touched_results_are_made_by_nobody_again(copied):
    for path in sorted(copied.folder.glob("results/**/*.*"), reverse=True):
        os.utime(path)
    assert copied.planned(*ARTIFACTS) == {}


@pytest.mark.parametrize(
    ("modules", "changes", "profile"),
    [
        (("workflow/artifacts/style.py", "workflow/machine.py"), {}, SLURM),
        (("rst_core/training/loop.py", "rst_core/measures/expected.py"), {}, WORKSTATION),
        ((), {"networks": {"tiny": {"label": "renamed"}}, "training": {"svhn": {"lr": 0.02}}}, ()),
    ],
)
def test_other_code_names_and_settings_of_others_draw_all_again_and_compute_nothing(
    changeable, modules, changes, profile
):
    # As git checkout does: sources newer than everything, in any order.
    for path in changeable.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            path.touch()
    for age, path in enumerate(sorted((changeable.folder / "results").rglob("*.*"))):
        os.utime(path, (1e9 - age, 1e9 - age))
    for module in modules:
        with (changeable.folder / module).open("a") as file:
            file.write("\n# edited\n")
    changeable.config(tiny(**changes))
    assert changeable.planned(*ARTIFACTS, *profile) == {"table": 1, "figure": 2}


@pytest.mark.parametrize(
    ("changes", "reason", "words", "jobs"),
    [
        (
            {"training": OTHER_LR},
            "6  made with lr 0.1, the config says 0.05",
            (*ARTIFACTS, *SLURM),
            ALL,
        ),
        (
            {"datasets": {"digits": {"images": {"validation_images": 800}}}},
            "made with validation_images 900, the config says 800",
            ARTIFACTS,
            ALL,
        ),
        (
            {"datasets": {"digits": {"images": {"variant": "street"}}}},
            "made with variant plain, the config",
            (FIGURE, TRAINING),
            {"search": 2, "transfer": 2, "figure": 1, "training_curves": 1},
        ),
    ],
)
def test_copied_results_of_another_config_are_all_stale_and_it_says_why(
    copied, changes, reason, words, jobs
):
    copied.config(tiny(**changes))
    planned, said = copied.dry_run(*words)
    assert planned == jobs
    assert reason in said


def test_after_a_run_another_matrix_is_made_by_the_first_command_and_nothing_of_the_old(changeable):
    """On a workstation with two GPUs, of which no two jobs have the same at once."""
    folder = changeable.folder
    figure = folder / FIGURE.replace("png", "csv")
    before = figure.read_text()
    images = {"variant": "street", "validation_images": 800}
    other = {"datasets": {"digits": {"images": images}}, "attacks": {"pgd20": {"steps": 3}}}
    changeable.config(tiny(training=OTHER_LR, **other))
    # The manifest alone, made first, hides nothing.
    assert changeable.run("results/data/digits.json").returncode == 0
    found = changeable.run(FIGURE, *WORKSTATION, "--resources", "gpu=2")
    assert found.returncode == 0, found.stderr
    assert figure.read_text() != before
    rows = [json.loads(path.read_text()) for path in folder.glob(f"{CELLS}/*/*/tran*")]
    assert [row["settings"]["attack"]["steps"] for row in rows] == [3, 3]
    manifest = json.loads((folder / "results/data/digits.json").read_text())
    assert {row["dataset_digest"] for row in rows} == {manifest["digest"]}
    gpus = Counter(made["cuda_visible_devices"] for made in provenances(folder).values())
    assert gpus.keys() == {"0", "1", None}
    assert gpus["0"] + gpus["1"] == 4, "two searches and two rows"
    assert not [line for line in overlaps(folder) if " were on GPU " in line]
    assert changeable.planned(FIGURE) == {}
    # Back again, what was made in between is no more of the old matrix than the other way round.
    changeable.config(TINY)
    assert changeable.planned(FIGURE) == {"search": 2, "transfer": 2, "figure": 1}


def test_one_more_keep_ratio_searches_one_more_ticket(changeable):
    changeable.config(tiny(experiments={"existence": {"keep_ratios": [0.1, 0.2, 0.5]}}))
    jobs = changeable.planned("results/figures/fig1.png")
    assert jobs == {"search": 1, "attack": 1, "figure": 1}


def test_another_run_in_the_same_folder_shares_nothing(changeable):
    changeable.config(tiny(run="other"))
    elsewhere = [path.replace("results/", "results/other/") for path in ARTIFACTS]
    jobs, said = changeable.dry_run(*elsewhere)
    assert jobs == ALL
    assert "are stale" not in said


def test_what_is_damaged_or_changed_by_hand_or_without_its_page_is_made_again(changeable):
    results = changeable.folder / "results"
    for path, old, new in (
        (changeable.folder / ONE_CELL, '"correct": ', '"correct": 9'),
        (results / "tables/table3.csv", "1", "2"),
    ):
        path.write_text(path.read_text().replace(old, new, 1))
    shutil.rmtree(results / "pages/fig7")
    jobs, said = changeable.dry_run(*ARTIFACTS)
    assert jobs == {"attack": 1, "table": 1, "figure": 2}
    assert "changed, or a file made with it was, since it was drawn (results/pages/table3" in said


def test_no_report_shows_a_stale_page(copied):
    copied.config(tiny(training=OTHER_LR))
    said = copied.refuses(FIGURE, "--report", "report.html")
    assert "so the report cannot show it" in said
    assert not (copied.folder / "report.html").exists()


ON_IMAGES = CELLS.replace("results", "results/drawn") + "/rst-keep0.2-element-pgd7-eps8"
IMAGES = {"train": 300, "test": 60}


def draw(folder, shade: int) -> None:
    for split, count in IMAGES.items():
        for number in range(count):
            path = folder / split / f"class{number % 10}" / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (32, 32), (number % 256, shade, 0)).save(path)


def extract(archive, folder) -> None:
    """Real images, as many."""
    wanted = IMAGES.copy()
    with tarfile.open(archive) as tar:
        for member in tar:
            split = member.name.split("/")[0]
            if member.isfile() and wanted.get(split, 0) > 0:
                wanted[split] -= 1
                tar.extract(member, folder, filter="data")
            if not any(wanted.values()):
                break


def on_folder(path: str) -> dict:
    images = {"source": "folder", "path": path, "image_size": 32, "flip": True}
    return tiny(
        run="drawn",
        datasets={"digits": {"images": images | {"validation_images": 50}}},
        training={"tiny": {"epochs": 1, "decay_epochs": []}},
    )


@pytest.fixture(scope="module")
def on_images(tmp_path_factory) -> Project:
    """One attack on a folder of images: real CIFAR images, if they are beside this checkout."""
    project = copy_project(tmp_path_factory.mktemp("images"))
    archive = SHARED_DATA / "cifar10_lossless_6k.tar.xz"
    if archive.is_file():
        extract(archive, project.folder / "images")
    else:
        draw(project.folder / "images", 0)
    project.config(on_folder("images"))
    found = project.run(f"{ON_IMAGES}/best_val/pgd20-eps8.json")
    assert found.returncode == 0, found.stderr
    return project


def test_one_cell_by_its_path_makes_that_cell_and_only_what_it_needs(on_images):
    attack = f"{ON_IMAGES}/best_val/pgd20-eps8.json"
    models = {f"{ON_IMAGES}/{selection}/ticket.pt" for selection in ("best_val", "last")}
    made = {attack, f"{ON_IMAGES}/metrics.jsonl"} | models
    assert on_images.files("results/**/cells/**/*.*") == made
    record = json.loads((on_images.folder / attack).read_text())
    assert len(unpack_outcomes(record["results"][0]["robust"])) == 60
    assert record["settings"]["attack"]["steps"] == 2
    manifest = json.loads((on_images.folder / "results/drawn/data/digits.json").read_text())
    assert manifest["images"] == {"train": 250, "validation": 50, "test": 60}


def test_other_images_make_everything_on_them_stale_and_touched_ones_nothing(on_images):
    attack, folder = f"{ON_IMAGES}/best_val/pgd20-eps8.json", on_images.folder
    for path in folder.glob("images/**/*.png"):
        os.utime(path, (1, 1))
    assert on_images.planned(attack) == {}
    shutil.copytree(folder / "images", folder / "elsewhere", copy_function=shutil.copy)
    draw(folder / "others", 200)
    Image.new("RGB", (32, 32), (100, 100, 0)).save(next(folder.glob("images/**/*.png")))
    for path, jobs in (
        ("elsewhere", {}),
        ("others", {"search": 1, "attack": 1}),
        ("images", {"search": 1, "attack": 1}),
    ):
        on_images.config(on_folder(path))
        planned, said = on_images.dry_run(attack)
        assert planned == jobs, path
        assert ("made on other images" in said) == bool(jobs)

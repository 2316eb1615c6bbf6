"""The real Snakemake on real images."""

import copy
import json
import re
import shutil
import tarfile

import pandas as pd
import pytest

from rst_core.records import unpack_outcomes
from tests.conftest import ROOT, SHARED_DATA
from tests.e2e.conftest import ARTIFACTS, CELLS, ONE_CELL, TINY, TRAINING

pytestmark = pytest.mark.e2e

TICKET = "rst-keep0.2-element-pgd7-eps8"


def test_one_cell_by_its_path_makes_that_cell_and_only_what_it_needs(finished):
    assert set(json.loads((finished.folder / "of_one_cell.json").read_text())) == {
        ONE_CELL,
        f"{CELLS}/{TICKET}/best_val/ticket.pt",
        f"{CELLS}/{TICKET}/last/ticket.pt",
        f"{CELLS}/{TICKET}/metrics.jsonl",
    }
    record = json.loads((finished.folder / ONE_CELL).read_text())
    outcomes = unpack_outcomes(record["results"][0]["robust"])
    assert len(outcomes) == 360
    assert record["settings"]["attack"]["steps"] == 2
    assert finished.planned(ONE_CELL) == {}


def test_a_run_says_a_short_line_a_job_with_its_numbers(finished):
    said = (finished.folder / "said.txt").read_text()
    begun = re.search(r"^(\d+) jobs: ", said, re.MULTILINE)
    jobs, lines = int(begun[1]), said[begun.start() :].splitlines()
    finished_jobs = [line for line in lines if re.match(r" *\d+/\d+, ", line)]
    assert len(finished_jobs) == jobs
    assert len(lines) <= 1.4 * jobs + 4
    assert max(map(len, finished_jobs)) <= 120
    assert any(re.search(r"pgd20-eps8 on .*: natural \d+\.\d, robust", line) for line in lines)
    assert f"{jobs} of {jobs} jobs in " in said
    (log,) = re.findall(r"Snakemake's own log: (.*)", said)
    assert "rule attack:" in (finished.folder / log).read_text()


def test_the_artifacts_exist_and_say_what_they_are(finished):
    made = finished.files("results/*/*.*")
    for name in ("tables/table3.csv", "tables/table3.md", "tables/table3.png"):
        assert f"results/{name}" in made
    for name in ("fig1", "fig7"):
        assert {f"results/figures/{name}.{s}" for s in ("csv", "png", "pdf")} <= made
    for page in ("table3/Table 3", "fig7/Figure 7"):
        assert finished.files(f"results/pages/{page} - *.html")
    table = pd.read_csv(finished.folder / "results/tables/table3.csv")
    table = table[(table["network"] == "tiny") & (table["role"] == "cifar10")]
    assert table["mean"].notna().all()
    assert table["data"].str.contains("stand-in for CIFAR-10").all()
    assert table["paper"].notna().all()
    figure = pd.read_csv(finished.folder / "results/figures/fig7.csv")
    r2s = table[(table["series"] == "r2s") & (table["measure"] == "robust")]["mean"].item()
    assert r2s == pytest.approx(figure["mean"].mean())


def test_the_training_curves_are_those_beside_the_models(finished):
    data = pd.read_csv(finished.folder / TRAINING / "transfer.csv")
    models = data.groupby("cell")
    assert {path.split("/")[3] for path, _ in models} == {TICKET, TICKET.replace("0.2", "0.5")}
    for path, rows in models:
        metrics = (finished.folder / "results/cells" / path).parents[1] / "metrics.jsonl"
        written = pd.read_json(metrics, lines=True)
        columns = ["epoch", "lr", "train_loss", "validation_natural", "validation_robust"]
        assert rows[columns].to_numpy() == pytest.approx(written[columns].to_numpy())
    pages = finished.folder / "results/pages"
    overview = (pages / "Training overview of transfer.html").read_text()
    assert "transfer (on stand-in data): 2 of 2 models" in overview
    assert "left out" not in overview
    page = pages / "training/transfer/Training curves of transfer.html"
    assert "Training curves of transfer (on stand-in data)" in page.read_text()
    # The frames of a report show no page beyond 2 MB.
    assert page.stat().st_size < 2e6
    assert (finished.folder / TRAINING / "transfer.png").is_file()


def test_nothing_is_left_to_do_and_a_touched_file_changes_nothing(finished):
    assert finished.planned(*ARTIFACTS, TRAINING) == {}
    (finished.folder / CELLS / TICKET / "best_val" / "ticket.pt").touch()
    assert finished.planned(*ARTIFACTS) == {}


def test_changing_a_plot_never_retrains_anything(changeable):
    style = changeable.folder / "workflow/artifacts/style.py"
    style.write_text(style.read_text() + "\n# another look\n")
    delta = copy.deepcopy(TINY)
    delta["networks"]["tiny"]["label"] = "renamed"
    changeable.config(delta)
    jobs = changeable.planned(*ARTIFACTS)
    assert jobs == {"table": 1, "figure": 2}


def test_changing_an_attack_reruns_attacks_and_no_search(changeable):
    delta = copy.deepcopy(TINY)
    delta["attacks"]["pgd20"]["steps"] = 3
    changeable.config(delta)
    jobs = changeable.planned(*ARTIFACTS)
    assert jobs["attack"] == 3
    assert jobs["transfer"] == 2
    assert not {"search", "train", "data"} & set(jobs)


def test_changing_the_training_reruns_it_and_another_datasets_does_not(changeable):
    delta = copy.deepcopy(TINY)
    delta["training"]["svhn"] = {"lr": 0.02}
    changeable.config(delta)
    assert changeable.planned(*ARTIFACTS) == {"table": 1, "figure": 2}  # any change draws all
    delta["training"]["tiny"]["lr"] = 0.05
    changeable.config(delta)
    jobs = changeable.planned(*ARTIFACTS)
    assert (jobs["search"], jobs["train"]) == (2, 1)


def test_one_more_keep_ratio_searches_one_more_ticket(changeable):
    delta = copy.deepcopy(TINY)
    delta["experiments"]["existence"]["keep_ratios"] = [0.1, 0.2, 0.5]
    changeable.config(delta)
    jobs = changeable.planned("results/figures/fig1.png")
    assert jobs == {"search": 1, "attack": 1, "figure": 1}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sedes", [0], "sedes is an unknown key; allowed is"),
        (
            "experiments.transfer.keep_ratios",
            [1.5],
            "keep_ratios is 1.5; allowed is a number above 0, up to 1",
        ),
        ("roles.networks.resnet18", "vgg", "roles.networks.resnet18 is 'vgg'; allowed is one of"),
        (
            "datasets.digits.images",
            {**TINY["datasets"]["digits"]["images"], "source": "folder", "path": "nowhere"},
            "datasets.digits.images.path is 'nowhere', but 'nowhere/train' does not exist",
        ),
    ],
)
def test_bad_input_is_one_clear_sentence_before_any_job(project, key, value, message):
    delta = copy.deepcopy(TINY)
    *parents, last = key.split(".")
    place = delta
    for part in parents:
        place = place[part]
    place[last] = value
    project.config(delta)
    found = project.run("all_tables")
    assert found.returncode != 0
    assert message in found.stderr
    assert "Traceback" not in found.stderr
    assert project.files("results/**/*.json") == set()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (f"{CELLS}/{TICKET}/best_val/pgd9-eps8.json", "'pgd9' is not in attacks"),
        (f"{CELLS.replace('tiny', 'vgg')}/{TICKET}/best_val/ticket.pt", "'vgg' is not in networks"),
    ],
)
def test_a_cell_that_cannot_be_made_says_why(project, target, message):
    found = project.run(target, "--dry-run")
    assert found.returncode != 0
    assert message in found.stdout + found.stderr


def test_the_whole_papers_matrix_plans_with_every_kind_of_cell(project):
    project.config({})
    jobs = project.planned("all")
    for kind in ("data", "train", "search", "finetune", "attack", "transfer"):
        assert jobs[kind] > 0, kind
    assert jobs["features"] > 0
    assert jobs["search"] > 1000


def test_real_cifar_images_through_an_image_folder(project):
    archive = SHARED_DATA / "cifar10_lossless_6k.tar.xz"
    if not archive.is_file():
        pytest.skip(f"no real CIFAR images beside this checkout ({archive.name})")
    wanted = {"train": 300, "test": 60}
    with tarfile.open(archive) as tar:
        for member in tar:
            split = member.name.split("/")[0]
            if member.isfile() and wanted.get(split, 0) > 0:
                wanted[split] -= 1
                tar.extract(member, project.folder / "data/cifar", filter="data")
            if not any(wanted.values()):
                break
    delta = copy.deepcopy(TINY)
    images = {"source": "folder", "path": "data/cifar", "image_size": 32, "flip": True}
    delta["datasets"]["digits"]["images"] |= {**images, "validation_images": 50}
    delta["training"]["tiny"] |= {"epochs": 1, "decay_epochs": []}
    project.config(delta)
    found = project.run(ONE_CELL)
    assert found.returncode == 0, found.stderr
    manifest = json.loads((project.folder / "results/data/digits.json").read_text())
    assert manifest["images"] == {"train": 250, "validation": 50, "test": 60}
    assert (
        json.loads((project.folder / ONE_CELL).read_text())["results"][0]["robust"]["total"] == 60
    )
    # The same images from another place are the same cell.
    shutil.move(project.folder / "data/cifar", project.folder / "moved")
    delta["datasets"]["digits"]["images"]["path"] = "moved"
    project.config(delta)
    assert set(project.planned(ONE_CELL)) <= {"data"}


def test_the_copy_is_the_project(project):
    for name in ("Snakefile", "config.yaml"):
        assert (project.folder / name).read_text() == (ROOT / name).read_text()


def test_a_key_that_stands_twice_is_refused_before_any_job(project):
    text = (project.folder / "tiny.yaml").read_text()
    (project.folder / "tiny.yaml").write_text(f"{text}seeds: [1]\n")
    found = project.run("all_tables")
    assert found.returncode != 0
    assert "tiny.yaml: seeds is in lines" in found.stderr
    assert "Traceback" not in found.stderr

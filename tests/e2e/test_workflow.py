"""The real Snakemake on real images."""

import re

import pandas as pd
import pytest
import yaml

from tests.e2e.conftest import CELLS, SLURM, TINY, TRAINING, tiny

pytestmark = pytest.mark.e2e

TICKET = "rst-keep0.2-element-pgd7-eps8"


def test_a_run_says_a_short_line_a_job_with_its_numbers(finished):
    said = (finished.folder / "said.txt").read_text()
    begun = re.search(r"^(\d+) jobs: ", said, re.MULTILINE)
    jobs, lines = int(begun[1]), said[begun.start() :].splitlines()
    finished_jobs = [line for line in lines if re.match(r" *\d+/\d+, ", line)]
    assert len(finished_jobs) == jobs
    assert len(lines) <= 1.4 * jobs + 4
    assert max(map(len, finished_jobs)) <= 120
    assert any(re.search(r"attack pgd20 eps8 .*: natural \d+\.\d, robust", line) for line in lines)
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
    robust = figure[figure["measure"] == "robust"]
    assert r2s == pytest.approx(robust["mean"].mean())


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


@pytest.mark.parametrize(
    ("config", "words", "messages"),
    [
        (
            yaml.safe_dump(tiny(sedes=[0], experiments={"transfer": {"keep_ratios": [1.5]}})),
            ["all_tables"],
            [
                "sedes is an unknown key; allowed is",
                "keep_ratios is 1.5; allowed is a number above 0, up to 1",
            ],
        ),
        (
            yaml.safe_dump(
                tiny(datasets={"digits": {"images": {"source": "folder", "path": "nowhere"}}})
            ),
            ["all_tables"],
            ["datasets.digits.images.path is 'nowhere', but 'nowhere/train' does not exist"],
        ),
        (f"{yaml.safe_dump(TINY)}seeds: [1]\n", ["all_tables"], ["tiny.yaml: seeds is in lines"]),
        (
            yaml.safe_dump(TINY),
            ["all_tables", *SLURM, "--config", "machine=nowhere.yaml"],
            ["machine is 'nowhere.yaml', which cannot be read"],
        ),
        (
            yaml.safe_dump(TINY),
            [f"{CELLS.replace('tiny', 'vgg')}/{TICKET}/best_val/ticket.pt", "--dry-run"],
            ["'vgg' is not in networks"],
        ),
    ],
)
def test_bad_input_is_one_clear_sentence_each_before_any_job(project, config, words, messages):
    (project.folder / "tiny.yaml").write_text(config)
    said = project.refuses(*words)
    assert all(message in said for message in messages)
    assert project.files("results/**/*.json") == set()


def test_the_whole_papers_matrix_plans_with_every_kind_of_cell(project):
    project.config({})
    jobs = project.planned("all")
    for kind in ("data", "train", "search", "finetune", "attack", "transfer"):
        assert jobs[kind] > 0, kind
    assert jobs["features"] > 0
    assert jobs["search"] > 1000

"""Cells through SLURM: the same results, a GPU each, and one failure that stays alone."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from rst_core.files import load_tensors
from tests.e2e.conftest import ARTIFACTS, CELLS, FIGURES, TINY, Project, copy_project
from tests.slurm.conftest import Submitter, contents


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> Project:
    """The artifacts, made on this machine."""
    project = copy_project(tmp_path_factory.mktemp("local"))
    found = project.run(*ARTIFACTS)
    assert found.returncode == 0, found.stderr
    return project


@pytest.fixture(scope="module")
def submitted(tmp_path_factory, cluster) -> Project:
    """The artifacts, made through SLURM."""
    submitter = Submitter(copy_project(tmp_path_factory.mktemp("submitted")), cluster)
    submitter.machine()
    run = submitter.start(*ARTIFACTS)
    assert run.finish() == 0, run.text
    return submitter.project


def records(project: Project) -> dict[str, Any]:
    return {
        name: json.loads((project.folder / name).read_text())
        for name in sorted(project.files("results/cells/**/*.json"))
    }


def provenances(project: Project) -> list[dict[str, Any]]:
    models = [
        load_tensors(project.folder / name)["provenance"]
        for name in project.files("results/cells/**/best_val/*.pt")
    ]
    return models + [record["provenance"] for record in records(project).values()]


def test_results_are_those_of_a_local_run(local, submitted):
    ours, theirs = records(local), records(submitted)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert ours[name]["results"] == theirs[name]["results"], name
    for name in local.files("results/cells/**/*.pt"):
        assert same(contents(local.folder / name), contents(submitted.folder / name)), name
    for name in local.files("results/*/*.csv"):
        assert (local.folder / name).read_text() == (submitted.folder / name).read_text()


def same(one: Any, other: Any) -> bool:
    """Whether two nests of plain values and tensors are bit for bit the same."""
    import torch

    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_no_two_cells_were_ever_on_one_gpu_at_once(submitted):
    found = provenances(submitted)
    assert len(found) == 8  # two tickets and a dense, an attack on each, two rows
    assert {p["cuda_visible_devices"] for p in found} == {"0", "1"}
    assert all(p["job"] for p in found)
    for one, other in itertools.combinations(found, 2):
        if one["cuda_visible_devices"] == other["cuda_visible_devices"]:
            assert one["finished"] <= other["started"] or other["finished"] <= one["started"]


def test_short_evaluations_are_no_jobs_of_their_own(submitted):
    jobs: dict[str, list[str]] = {}
    for name, record in records(submitted).items():
        jobs.setdefault(record["provenance"]["job"], []).append(name)
    # The rows share a job; each attack ran in the job that made its model.
    assert sorted(map(len, jobs.values())) == [1, 1, 1, 2]
    models = submitted.files("results/cells/**/best_val/*.pt")
    made = {load_tensors(submitted.folder / m)["provenance"]["job"] for m in models}
    assert len(made) == 3
    assert made < set(jobs)


def block(project: Project, cell: str) -> Path:
    """Make a cell fail always: what its command needs as a folder is a file."""
    place = cell.replace("results/cells", "results/checkpoints").removesuffix(".json")
    folder = project.folder / place
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("not a folder")
    return folder


def test_a_cell_that_always_fails_takes_nothing_else_down(submitter):
    config = copy.deepcopy(TINY)
    for name in ("existence", "inits", "patterns", "methods"):  # the panels of Figure 1
        config["experiments"][name]["keep_ratios"] = [0.2]
    submitter.project.config(config)
    search, attack = f"{CELLS}/rst-keep0.5-element-pgd7-eps8", "dense-adversarial-pgd7-eps8"
    blocks = [
        block(submitter.project, search),
        block(submitter.project, f"{CELLS}/{attack}/best_val/pgd20-eps8.json"),
    ]
    run = submitter.start(*FIGURES, "--retries", "1")
    assert run.finish() != 0
    made = submitter.project.files("results/**/*.*")
    assert f"{CELLS}/rst-keep0.2-element-pgd7-eps8/best_val/pgd20-eps8.json" in made
    assert f"{CELLS}/{attack}/best_val/weights.pt" in made
    assert f"failed: {search}/best_val/ticket.pt" in run.text
    assert "Not a directory" in run.text or "File exists" in run.text
    assert "retry: snakemake" in run.text
    # Figure 7 needs the ticket and cannot be; Figure 1 lacks one number and says so.
    assert "results/figures/fig7.png" not in made
    assert "results/figures/fig1.png" in made
    assert "made with gaps, which they show:\n  results/figures/fig1.csv" in run.text

    for path in blocks:
        path.unlink()
    again = submitter.start(*FIGURES)
    assert again.finish() == 0, again.text
    assert "results/figures/fig7.png" in submitter.project.files("results/figures/*")
    made = records(submitter.project)
    assert len(made) == 4
    assert all("results" in record for record in made.values())

"""What the profiles would submit, and what makes a finished cell run again: dry runs."""

from __future__ import annotations

import copy
import itertools
import json
import os
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import ARTIFACTS, CELLS, TINY, Project

pytestmark = pytest.mark.e2e

SLURM = ("--profile", "slurm")
RECIPE = "rst-keep0.2-element-pgd7-eps8"


def groups(project: Project, *words: str) -> list[list[str]]:
    """The rules of each job that a dry run would submit to SLURM."""
    found = project.run(*words, *SLURM, "--dry-run", "--printshellcmds")
    text = found.stdout + found.stderr
    assert found.returncode == 0, text
    blocks = re.split(r"^\[[^]]*\] Group job ", text, flags=re.MULTILINE)[1:]
    members = [re.findall(r"^    (?:local)?rule (\w+):", b, flags=re.MULTILINE) for b in blocks]
    return sorted(sorted(rules) for rules in members)


def attacked_otherwise(project: Project) -> None:
    """Make every evaluation, and nothing else, out of date."""
    delta = copy.deepcopy(TINY)
    delta["attacks"]["pgd20"]["steps"] = 3
    project.config(delta)


def test_evaluations_of_models_to_be_made_run_in_the_jobs_that_make_them(project):
    assert groups(project, *ARTIFACTS) == [
        ["attack", "search"], ["attack", "search"], ["attack", "train"], ["transfer", "transfer"],
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "jobs"), [(1, [1] * 5), (2, [1, 2, 2]), (20, [5])])
def test_the_number_of_short_evaluations_that_share_a_job_is_one_number(changeable, size, jobs):
    attacked_otherwise(changeable)
    found = groups(changeable, *ARTIFACTS, "--group-components", f"evaluations={size}")
    assert sorted(map(len, found)) == jobs


def test_one_cell_of_a_batch_can_be_made_alone(changeable):
    attacked_otherwise(changeable)
    assert groups(changeable, f"{CELLS}/{RECIPE}/best_val/pgd20-eps8.json") == [["attack"]]


def test_a_long_evaluation_is_a_job_of_its_own(changeable):
    attacked_otherwise(changeable)
    machine = changeable.folder / "slurm" / "machine.yaml"
    machine.write_text(machine.read_text().replace("batched: 30 ", "batched: 12 "))
    # A row's limit is 15 minutes, an attack's 10.
    assert groups(changeable, *ARTIFACTS) == [["attack"] * 3]
    assert changeable.planned(*ARTIFACTS, *SLURM)["transfer"] == 2


@pytest.mark.parametrize("profile", ["slurm", "workstation"])
def test_touched_files_and_edited_modules_never_rerun_a_computing_cell(changeable, profile):
    for path in changeable.folder.rglob("*"):
        if path.is_file() and ".snakemake" not in path.parts:
            path.touch()
    # As git checkout does: sources newer than everything, in any order.
    for age, path in enumerate(sorted((changeable.folder / "results").rglob("*.*"))):
        os.utime(path, (1e9 - age, 1e9 - age))
    for module in (
        "workflow/artifacts/style.py",
        "workflow/machine.py",
        "rst_core/training/loop.py",
    ):
        edit(changeable.folder / module)
    jobs = changeable.planned(*ARTIFACTS, "--profile", profile)
    assert set(jobs) <= {"table", "figure"}


def test_the_hours_of_a_dry_run_are_of_all_jobs_that_a_cell_takes(project):
    """A search of 12 hours takes as long where a job may have one."""
    machine = project.folder / "slurm" / "machine.yaml"
    text, said = machine.read_text(), []
    for longest in (2880, 60):
        machine.write_text(text.replace("longest: 2880", f"longest: {longest}"))
        found = project.run(*ARTIFACTS, *SLURM, "--dry-run")
        said.append(re.search(r" (\d+)  in all will be submitted", found.stdout + found.stderr)[1])
    assert said == ["37", "37"]


def test_another_machine_or_another_batch_size_reruns_nothing(changeable):
    machine = changeable.folder / "slurm" / "machine.yaml"
    machine.write_text(machine.read_text().replace("time: 1 ", "time: 7 "))
    assert changeable.planned(*ARTIFACTS, *SLURM, "--group-components", "evaluations=3") == {}
    assert changeable.planned(*ARTIFACTS, "--profile", "workstation") == {}


def test_another_learning_rate_reruns_exactly_what_was_trained_with_it(changeable):
    delta = copy.deepcopy(TINY)
    delta["training"]["tiny"]["lr"] = 0.05
    changeable.config(delta)
    jobs = changeable.planned(f"{CELLS}/{RECIPE}/best_val/pgd20-eps8.json", *SLURM)
    assert jobs == {"search": 1, "attack": 1}


def test_a_scheduler_without_a_machine_file_and_a_broken_one_are_one_sentence(project):
    found = project.run(*ARTIFACTS, *SLURM, "--config", "machine=nowhere.yaml", "--dry-run")
    assert found.returncode != 0
    assert "machine is 'nowhere.yaml', which cannot be read" in found.stdout + found.stderr
    assert "Traceback" not in found.stderr


def test_jobs_of_a_workstation_have_a_gpu_each(project, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    found = project.run(
        *ARTIFACTS, "--profile", "workstation", "--resources", "gpu=2",
        "--dry-run", "--printshellcmds",
    )  # fmt: skip
    commands = re.findall(r"gpu_slots\.py (\d) (\S+) python -m rst_core", found.stdout)
    assert len(commands) == 8
    assert set(commands) == {("1", "4,6")}


def test_in_a_container_jobs_run_the_containers_python(project, monkeypatch):
    """A pretended Apptainer, in whose container the host's environment is visible, as it is."""
    place = project.folder / "bin"
    place.mkdir()
    for name, body in (
        ("apptainer", 'for command; do :; done; PATH=$0.in:$PATH exec bash -c "$command"'),
        ("apptainer.in/python", 'echo "$@" >> made_with; exit 1'),
    ):
        (place / name).parent.mkdir(exist_ok=True)
        version = '[ "$1" = --version ] && echo apptainer version 1.3.4 && exit\n'
        (place / name).write_text(f"#!/bin/bash\n{version}{body}\n")
        (place / name).chmod(0o755)
    (project.folder / "container").mkdir()
    (project.folder / "container" / "rst.sif").touch()
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
    project.run(
        f"{CELLS}/dense-adversarial-pgd7-eps8/best_val/weights.pt", "--sdm", "apptainer",
        "--profile", "workstation", "--resources", "gpu=1", "--retries", "0",
    )  # fmt: skip
    lines = (project.folder / "made_with").read_text().splitlines()
    assert all(re.search(r"gpu_slots\.py 1 0 python -m rst_core train ", one) for one in lines)


def test_no_two_jobs_of_a_workstation_were_on_one_gpu_at_once(changeable):
    """Three attacks for two GPUs: one of them waits."""
    attacked_otherwise(changeable)
    models = ["dense-adversarial-pgd7-eps8", RECIPE, RECIPE.replace("0.2", "0.5")]
    cells = [f"{CELLS}/{model}/best_val/pgd20-eps8.json" for model in models]
    found = changeable.run(*cells, "--profile", "workstation", "--resources", "gpu=2")
    assert found.returncode == 0, found.stdout + found.stderr
    records = [json.loads((changeable.folder / cell).read_text()) for cell in cells]
    assert [record["settings"]["attack"]["steps"] for record in records] == [3, 3, 3]
    at_work = [record["provenance"] for record in records]
    assert {p["cuda_visible_devices"] for p in at_work} == {"0", "1"}
    for one, other in itertools.combinations(at_work, 2):
        if one["cuda_visible_devices"] == other["cuda_visible_devices"]:
            assert one["finished"] <= other["started"] or other["finished"] <= one["started"]


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "\n# edited\n")

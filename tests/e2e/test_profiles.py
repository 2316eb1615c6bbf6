"""What the profiles would submit, and what makes a finished cell run again: dry runs."""

from __future__ import annotations

import os
import re

import pytest

from tests.e2e.conftest import ARTIFACTS, CELLS, ONE_CELL, SLURM, Project, tiny

pytestmark = pytest.mark.e2e

OTHER_ATTACK = tiny(attacks={"pgd20": {"steps": 3}})


def submitted(project: Project, *words: str) -> tuple[list[list[str]], dict[str, int], str]:
    """The rules of each job that a dry run would submit to SLURM, all jobs, and what it said."""
    jobs, said = project.dry_run(*words, *SLURM, "--printshellcmds")
    blocks = re.split(r"^\[[^]]*\] Group job ", said, flags=re.MULTILINE)[1:]
    members = [re.findall(r"^    (?:local)?rule (\w+):", b, flags=re.MULTILINE) for b in blocks]
    return sorted(sorted(rules) for rules in members), jobs, said


def edit_machine(project: Project, old: str, new: str) -> None:
    machine = project.folder / "slurm" / "machine.yaml"
    text = machine.read_text()
    assert old in text
    machine.write_text(text.replace(old, new))


def test_evaluations_of_models_to_be_made_run_in_the_jobs_that_make_them(project):
    """And hours are of all jobs that a cell takes: a search's 12, where a job may have one."""
    edit_machine(project, "job_minutes: 2880", "job_minutes: 60")
    groups, _, said = submitted(project, *ARTIFACTS)
    assert groups == [
        ["attack", "search"], ["attack", "search"], ["attack", "train"], ["transfer", "transfer"],
    ]  # fmt: skip
    assert re.search(r" (\d+)  in all will be submitted", said)[1] == "37"


@pytest.mark.parametrize(("size", "sizes"), [(2, [1, 2, 2]), (20, [5])])
def test_another_attack_reruns_attacks_alone_and_one_number_says_how_many_share_a_job(
    changeable, size, sizes
):
    changeable.config(OTHER_ATTACK)
    groups, jobs, _ = submitted(changeable, *ARTIFACTS, "--group-components", f"evaluations={size}")
    assert sorted(map(len, groups)) == sizes
    assert jobs == {"attack": 3, "transfer": 2, "table": 1, "figure": 2}


def test_one_cell_of_a_batch_can_be_made_alone(changeable):
    changeable.config(OTHER_ATTACK)
    assert submitted(changeable, ONE_CELL)[:2] == ([["attack"]], {"attack": 1})


def test_a_long_evaluation_is_a_job_of_its_own(changeable):
    changeable.config(OTHER_ATTACK)
    # A row's limit is 15 minutes, an attack's 10.
    edit_machine(changeable, "shared_minutes: 30 ", "shared_minutes: 12 ")
    groups, jobs, _ = submitted(changeable, *ARTIFACTS)
    assert groups == [["attack"] * 3]
    assert jobs["transfer"] == 2


def test_another_machine_batch_size_or_runtime_reruns_nothing(changeable):
    edit_machine(changeable, "time_factor: 1 ", "time_factor: 7 ")
    assert changeable.planned(*ARTIFACTS, *SLURM, "--group-components", "evaluations=3") == {}
    workstation = ("--profile", "workstation", "--default-resources", "runtime=99")
    assert changeable.planned(*ARTIFACTS, *workstation) == {}


def test_jobs_of_a_workstation_have_a_gpu_each(project, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    _, said = project.dry_run(
        *ARTIFACTS, "--profile", "workstation", "--resources", "gpu=2", "--printshellcmds"
    )
    commands = re.findall(r"gpu_slots\.py (\d) (\S+) python -m rst_core", said)
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

"""Questions to SLURM before the first job, and commands that wait for it: with fake commands."""

import os
import shutil
import subprocess
from collections import namedtuple
from pathlib import Path

import pytest

from tests.conftest import ROOT
from workflow.machine import read_machine
from workflow.preflight import LEAST_FREE, disk_problem, problems

MACHINE = read_machine(ROOT / "slurm" / "machine.yaml")
GOOD = {
    "sbatch": "exit 0",
    "sinfo": "echo 'gpu|gpu:4'; echo 'cpu|(null)'",
    "sacctmgr": "echo rst; echo other",
}


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """Makes fake commands, the only ones on the PATH but for a shell's."""

    def make(**bodies: str) -> Path:
        for name, body in bodies.items():
            file = tmp_path / name
            file.write_text(f"#!/bin/sh\n{body}\n")
            file.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    return make


def found(**changes: str) -> list[str]:
    return list(problems(MACHINE.model_copy(update=changes), "slurm/machine.yaml"))


def test_a_cluster_that_fits_has_no_problem(commands):
    commands(**GOOD)
    assert found() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"partition": "gpus"}, "partition is 'gpus' in slurm/machine.yaml, but this cluster has"),
        ({"partition": "cpu"}, "partition is 'cpu' in slurm/machine.yaml, but its nodes have no"),
        ({"account": "wrong"}, "account is 'wrong' in slurm/machine.yaml, which user"),
    ],
)
def test_a_wrong_name_is_one_sentence_that_says_what_is_allowed(commands, change, message):
    commands(**GOOD)
    (sentence,) = found(**change)
    assert message in sentence
    assert "allowed is one of" in sentence


def test_a_missing_sbatch_and_a_cluster_without_gpus_are_one_sentence(commands):
    commands(**{k: v for k, v in GOOD.items() if k != "sbatch"})
    (sentence,) = found()
    assert sentence.startswith("sbatch is not on the PATH")
    commands(**GOOD | {"sinfo": "echo 'gpu|(null)'"})
    (sentence,) = found()
    assert "no partition has any" in sentence


def test_a_disk_without_room_is_one_sentence_also_for_a_folder_to_be(monkeypatch, tmp_path):
    usage = namedtuple("usage", "free")
    for free, said in ((LEAST_FREE - 1, True), (LEAST_FREE, False)):
        monkeypatch.setattr(shutil, "disk_usage", lambda place, free=free: usage(free))
        for folder in (tmp_path, tmp_path / "not" / "yet"):
            sentence = disk_problem(folder)
            assert sentence.startswith(f"the disk of {folder} is full: 100 MB") == said
            assert bool(sentence) == said


def test_a_slurm_that_does_not_answer_is_no_problem_jobs_wait_for_it(commands):
    commands(sbatch="exit 0", sinfo="exit 1", sacctmgr="exit 1")
    assert found() == []


def patient(folder: Path, *words: str, name: str = "sbatch") -> subprocess.CompletedProcess[str]:
    """The link that Snakemake's main process finds first, with the fake command behind it."""
    here = ROOT / "workflow" / "bin"
    path = os.pathsep.join([str(here), str(folder), os.environ["RST_TEST_PATH"]])
    return subprocess.run(
        [str(here / name), *words], capture_output=True, text=True, stdin=subprocess.DEVNULL,
        env=os.environ | {"PATH": path, "RST_SLURM_PAUSE": "0"},
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _python(monkeypatch):
    monkeypatch.setenv("RST_TEST_PATH", os.environ["PATH"])


def test_a_submission_waits_for_the_controller(commands):
    folder = commands(
        sbatch='cd "${0%/*}"; echo x >> tries\n'
        "while read -r _; do n=x$n; done < tries\n"
        'case $n in xxx) echo 42;; *) echo "sbatch: error: Batch job submission failed: '
        'Unable to contact slurm controller (connect failure)" >&2; exit 1;; esac'
    )
    done = patient(folder)
    assert (done.returncode, done.stdout) == (0, "42\n")
    assert len((folder / "tries").read_text().splitlines()) == 3


def test_any_other_refusal_is_passed_on_at_once(commands):
    folder = commands(sbatch='echo tried; echo "invalid partition specified" >&2; exit 1')
    done = patient(folder)
    assert done.returncode == 1
    assert done.stdout == "tried\n"
    assert "invalid partition" in done.stderr


@pytest.mark.parametrize("name", ["squeue", "sacct"])
def test_the_status_of_jobs_is_empty_while_slurm_is_away_and_else_what_it_is(commands, name):
    away = 'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1'
    done = patient(commands(**{name: away}), name=name)
    assert (done.returncode, done.stdout) == (0, "")
    done = patient(commands(**{name: 'echo "7|RUNNING"'}), name=name)
    assert (done.returncode, done.stdout) == (0, "7|RUNNING\n")
    assert patient(commands(**{name: "exit 3"}), name=name).returncode == 3


def test_every_link_is_to_the_one_program():
    here = ROOT / "workflow" / "bin"
    assert {p.name for p in here.iterdir()} >= {
        "sbatch",
        "sacctmgr",
        "sinfo",
        "sshare",
        "squeue",
        "sacct",
    }
    for link in here.iterdir():
        assert link.resolve() == (here / "patiently").resolve()
    assert shutil.which("patiently", path=str(here))

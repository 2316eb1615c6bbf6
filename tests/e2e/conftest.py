"""A working copy of the project in a temporary folder, with a matrix that runs in seconds."""

from __future__ import annotations

import copy
import fcntl
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from tests.artifacts.made_up_cells import write_cell, write_dataset
from tests.conftest import ROOT
from tests.test_config import extended
from workflow.config import read_config
from workflow.matrix import Matrix


def _experiment(**more: list[Any]) -> dict[str, list[Any]]:
    axes = {"networks": ["resnet18"], "datasets": ["cifar10"], "keep_ratios": [0.2, 0.5]}
    return axes | more


TINY: dict[str, Any] = {
    "seeds": [0],
    "roles": {"datasets": {"cifar10": "digits"}, "networks": {"resnet18": "tiny"}},
    "datasets": {
        "digits": {
            "label": "Digits",
            "stand_in_for": "CIFAR-10",
            "training": "tiny",
            "images": {
                "source": "digits",
                "variant": "plain",
                "classes": 10,
                "image_size": 8,
                "mean": [0.3, 0.3, 0.3],
                "std": [0.37, 0.37, 0.37],
                "crop_padding": 1,
                "flip": False,
                "validation_images": 900,
            },
        }
    },
    "networks": {
        "tiny": {"label": "tiny", "build": {"architecture": "preact_resnet18", "width": 0.0625}}
    },
    "training": {
        "tiny": {"epochs": 2, "batch_size": 64, "decay_epochs": [1], "validation_steps": 1}
    },
    "attacks": {"pgd20": {"steps": 2}, "bandits_untiled": {"tiles": 8}},
    "transfer_targets": [0.2, 0.5],
    "experiments": {
        "dense": {"networks": ["resnet18"], "datasets": ["cifar10"]},
        "existence": _experiment(),
        "transfer": _experiment(),
        "r2s": _experiment(),
        # The other panels of Figure 1, played by the same tickets.
        "inits": _experiment(inits=["signed_kaiming_constant"]),
        "patterns": _experiment(patterns=["element"]),
        "methods": _experiment(methods=["pgd7"]),
        "r2s_stress": _experiment(candidate_sets=[], adaptive=[], adaptive_transfer=[]),
        "r2s_stress_dense": {"networks": ["resnet18"], "datasets": ["cifar10"]},
        "r2s_stress_seeds": _experiment(candidate_sets=[], adaptive=[], adaptive_transfer=[]),
    },
}
CELLS = "results/cells/digits/tiny/signed_kaiming_constant-seed0"
#: One of its cells: the attack on a ticket.
ONE_CELL = f"{CELLS}/rst-keep0.2-element-pgd7-eps8/best_val/pgd20-eps8.json"
#: The artifacts that the tiny matrix has: they share two searches and one dense.
FIGURES = ("results/figures/fig1.png", "results/figures/fig7.png")
ARTIFACTS = ("results/tables/table3.csv", *FIGURES)
#: Training curves of these two searches.
TRAINING = "results/training/transfer"
SLURM = ("--profile", "slurm")


def tiny(**changes: Any) -> dict[str, Any]:
    """The tiny matrix with some of its keys changed."""
    config = copy.deepcopy(TINY)
    update_config(config, changes)
    return config


@dataclass(frozen=True)
class Project:
    """The copy; ``run`` is the real Snakemake in it."""

    folder: Path

    def config(self, delta: dict[str, Any]) -> None:
        (self.folder / "tiny.yaml").write_text(yaml.safe_dump(delta))

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        # --configfile takes all words up to the next option, so it stands last.
        command = [sys.executable, "-m", "snakemake", *words, "--cores", "2"]
        return subprocess.run(
            [*command, "--configfile", "tiny.yaml"],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def dry_run(self, *words: str) -> tuple[dict[str, int], str]:
        """Jobs by rule, nothing if there is nothing to do, and all that was said."""
        found = self.run(*words, "--dry-run")
        said = found.stdout + found.stderr
        assert found.returncode == 0, said
        jobs = {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", said, re.MULTILINE)}
        jobs.pop("total", None)
        return jobs, said

    def planned(self, *words: str) -> dict[str, int]:
        """Jobs of a dry run as a person reads it."""
        jobs, said = self.dry_run(*words)
        assert len(said.splitlines()) <= 100
        return jobs

    def refuses(self, *words: str) -> str:
        """What a run says that fails before any job."""
        found = self.run(*words)
        said = found.stdout + found.stderr
        assert found.returncode != 0, said
        assert "Traceback (most recent call last)" not in said
        return said

    def files(self, pattern: str) -> set[str]:
        return {str(p.relative_to(self.folder)) for p in self.folder.glob(pattern) if p.is_file()}


def copy_project(folder: Path) -> Project:
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, folder)
    for name in ("workflow", "rst_core", "demo", "configs", "slurm", "workstation"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    project = Project(folder)
    project.config(TINY)
    return project


def demo_with_made_up_cells(folder: Path) -> Project:
    """A copy in which every measured cell of the demo is there, with invented numbers."""
    project = copy_project(folder)
    delta = ROOT / "demo" / "matrix.yaml"
    shutil.copy(delta, folder / "tiny.yaml")
    matrix = Matrix(read_config(extended(delta)))
    for cell in matrix.all_cells():
        write_cell(folder, cell, matrix)
    for name in matrix.config.roles.datasets.values():
        write_dataset(folder, name, matrix)
    return project


@pytest.fixture
def project(tmp_path) -> Project:
    return copy_project(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """A copy in which ``ARTIFACTS`` and ``TRAINING`` are made. Tests that change it copy it.

    ``said.txt`` has what Snakemake said.
    The processes of pytest-xdist share the copy: whichever asks first makes it.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = folder / "said.txt"
        if not said.is_file():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            found = copy_project(folder).run(*ARTIFACTS, TRAINING)
            assert found.returncode == 0, found.stdout + found.stderr
            said.write_text(found.stdout + found.stderr)
    return Project(folder)


@pytest.fixture
def changeable(finished, tmp_path) -> Project:
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    return Project(tmp_path)

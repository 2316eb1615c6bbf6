"""Where the project and its results may lie: paths with a space, ``--directory``, other disks."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.e2e.conftest import ARTIFACTS, ONE_CELL, Project, copy_project

pytestmark = pytest.mark.e2e


def test_results_may_be_a_link_to_another_disk(changeable, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk") / "results of mine"
    shutil.move(changeable.folder / "results", disk)
    (changeable.folder / "results").symlink_to(disk)
    assert changeable.planned(*ARTIFACTS) == {}, "what was moved is as it was"
    (disk / ONE_CELL.removeprefix("results/")).unlink()
    found = changeable.run(ONE_CELL)
    assert found.returncode == 0, found.stdout + found.stderr
    assert (disk / ONE_CELL.removeprefix("results/")).is_file()
    assert (changeable.folder / "results").is_symlink()


def test_with_directory_the_results_lie_there_made_by_the_projects_config(
    finished, tmp_path, tmp_path_factory
):
    project = copy_project(tmp_path_factory.mktemp("a project"))
    shutil.copytree(finished.folder / "results", tmp_path / "results")
    (tmp_path / ARTIFACTS[0]).unlink()
    found = project.run(ARTIFACTS[0], "--directory", str(tmp_path))
    assert found.returncode == 0, found.stdout + found.stderr
    assert "1 of 1 jobs" in found.stdout + found.stderr, "no cell is made again"
    assert (tmp_path / ARTIFACTS[0]).is_file()
    assert not (project.folder / "results").exists()


def test_a_project_whose_path_has_a_space_works_with_an_environment_elsewhere(finished, tmp_path):
    folder = tmp_path / "with a space"
    shutil.copytree(finished.folder, folder)
    (folder / ONE_CELL).unlink()
    found = Project(folder).run(*ARTIFACTS)
    assert found.returncode == 0, found.stdout + found.stderr
    assert (folder / ONE_CELL).is_file()


def test_an_environment_whose_path_has_a_space_is_refused_before_any_job(project):
    environment = project.folder / "with a space"
    environment.symlink_to(sys.prefix)
    command = [environment / "bin/python", "-m", "snakemake", *ARTIFACTS, "--cores", "1"]
    ended = subprocess.run(
        [*command, "--configfile", "tiny.yaml"],
        cwd=project.folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "whose path has a space" in said
    assert "Traceback" not in said
    assert not project.files("results/**/*")


def test_make_refuses_a_folder_with_a_space_before_it_installs(tmp_path):
    folder = tmp_path / "with a space"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    ended = subprocess.run(
        ["make", "install"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode != 0
    assert "path has a space" in ended.stderr
    assert [path.name for path in folder.iterdir()] == ["Makefile"]

"""Where the project and its results may lie: paths with a space, ``--directory``, other disks."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.e2e.conftest import ARTIFACTS, CELLS, ONE_CELL, Project, copy_project

pytestmark = pytest.mark.e2e


def test_a_project_at_a_path_with_a_space_works_on_results_on_another_disk(finished, tmp_path):
    project, disk = Project(tmp_path / "with a space"), tmp_path / "results of mine"
    shutil.copytree(finished.folder, project.folder)
    shutil.move(project.folder / "results", disk)
    (project.folder / "results").symlink_to(disk)
    assert project.planned(*ARTIFACTS) == {}, "what was moved is as it was"
    attack = project.folder / ONE_CELL.replace("0.2", "0.5")
    others = [attack, *project.folder.glob(f"{CELLS}/*/*/*.pt")]
    before = [path.read_bytes() for path in others]
    (project.folder / ONE_CELL).unlink()
    found = project.run(ARTIFACTS[1], "--forceall")
    assert found.returncode == 0, found.stdout + found.stderr
    assert (disk / ONE_CELL.removeprefix("results/")).is_file()
    assert (project.folder / "results").is_symlink()
    assert len(before) == 7
    assert [path.read_bytes() for path in others] == before, "finished cells are left alone"


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


def test_an_environment_whose_path_has_a_space_is_refused_before_any_job(project, monkeypatch):
    environment = project.folder / "with a space"
    environment.symlink_to(sys.prefix)
    monkeypatch.setattr(sys, "executable", str(environment / "bin/python"))
    assert "whose path has a space" in project.refuses(*ARTIFACTS)
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

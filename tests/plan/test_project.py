"""The images of a dataset before they are fetched, and its manifest afterwards."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rst_core.data.manifest import OFFICIAL, write_manifest
from tests.conftest import ROOT, manifest
from tests.plan.examples import project_in
from workflow.plan.project import ImageCounts, PlanError, Project


def test_a_manifest_says_what_a_dataset_has_unless_it_is_damaged(project: Project) -> None:
    path, found = project.root / project.matrix.manifest("digits"), manifest()
    path.parent.mkdir(parents=True)
    write_manifest(path, found)
    assert project.images("digits") == ImageCounts(**found.images)
    path.write_text("{")
    project.images.cache_clear()
    assert project.images("digits") == ImageCounts(1237, 200, 360)


def test_what_is_known_of_the_paper_s_datasets_is_theirs(tmp_path: Path) -> None:
    project = project_in(tmp_path, deltas=())
    for name, (*_, train, test) in OFFICIAL.items():
        counts = project.images(name)
        assert (counts.train + counts.validation, counts.test) == (train, test)
        assert bool(counts.remark) == (name == "imagenet")


def test_a_folder_is_counted_and_one_that_is_missing_is_an_error(tmp_path: Path) -> None:
    delta = tmp_path / "own.yaml"
    images = {"source": "folder", "path": str(tmp_path / "own")}
    delta.write_text(json.dumps({"datasets": {"digits": {"images": images}}}))
    project = project_in(tmp_path, deltas=(ROOT / "demo/matrix.yaml", delta))
    with pytest.raises(PlanError, match=r"not known yet; 'snakemake .* counts them"):
        project.images("digits")
    for half, count in (("train", 300), ("test", 7)):
        folder = tmp_path / "own" / half / "zero"
        folder.mkdir(parents=True)
        for number in range(count):
            (folder / f"{number}.png").touch()
    assert project.images("digits") == ImageCounts(100, 200, 7)

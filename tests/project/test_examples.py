"""The scripts of examples/, run as a reader would type them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

import rst_core
from tests.artifacts.made_up_cells import write_cell
from tests.conftest import ROOT
from tests.test_config import PAPER
from workflow.artifacts.numbers.cells_csv import write_cells_csv
from workflow.artifacts.numbers.frame import MEANINGS
from workflow.config import read_config
from workflow.matrix import Matrix

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


def run(name: str, folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / f"{name}.py"), *arguments]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("script", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short(script):
    assert len(script.read_text().splitlines()) <= 40


def test_a_library_attacks_a_ticket(tmp_path):
    assert "foolbox LinfPGD: Accuracy(natural=9" in run("attack_a_ticket", tmp_path)


def test_r2s_is_deployed(tmp_path):
    import torch

    assert "3 exported tickets" in run("deploy_r2s", tmp_path)
    images, _ = rst_core.load_test_images("digits", 7)
    exported = torch.export.load(tmp_path / "ticket1.pt2").module()
    name = "digits/resnet18_eighth/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8"
    assert torch.allclose(exported(images), rst_core.load(name)(images), atol=1e-5)


def test_a_figure_of_ones_own_is_drawn_from_cells_csv(tmp_path):
    matrix = Matrix(read_config(PAPER))
    cells = [write_cell(tmp_path, cell, matrix) for cell in matrix.cells("existence")]
    write_cells_csv(cells, tmp_path / "cells.csv")
    assert list(pd.read_csv(tmp_path / "cells.csv")) == list(MEANINGS)
    assert not (tmp_path / "cells.parquet").exists(), "pyarrow is not installed"
    told = run("own_figure", tmp_path, "cells.csv", "own.png")
    assert int(told.split("from ")[1].split()[0]) > 0
    assert Image.open(tmp_path / "own.png").size[0] > 300


def test_where_pandas_writes_parquet_the_cells_are_written_so_too(tmp_path, monkeypatch):
    matrix = Matrix(read_config(PAPER))
    cells = [write_cell(tmp_path, cell, matrix) for cell in matrix.cells("existence")[:3]]

    def write(frame, path, index):
        path.write_text(frame.to_csv(index=index))

    monkeypatch.setattr(pd.DataFrame, "to_parquet", write)
    write_cells_csv(cells, tmp_path / "cells.csv")
    assert (tmp_path / "cells.parquet").read_text() == (tmp_path / "cells.csv").read_text()
    monkeypatch.undo()
    write_cells_csv(cells, tmp_path / "cells.csv")
    assert not (tmp_path / "cells.parquet").exists(), "it would be of another time"


def test_a_ticket_is_searched_on_ones_own_images(tmp_path):
    images, labels = rst_core.load_test_images("digits")
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        half = "test" if number % 4 == 0 else "train"
        path = tmp_path / "mine" / half / f"digit{label}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = image.mul(255).byte().permute(1, 2, 0).contiguous().numpy()
        Image.fromarray(pixels).save(path)
    told = run("search_own_images", tmp_path, "mine", "2")
    assert "own/resnet18_eighth/signed_kaiming_constant-seed0/rst-keep0.2-element" in told
    assert (tmp_path / "results" / "cells" / "own").is_dir()

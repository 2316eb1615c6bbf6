"""Whole commands on the device: what they write is what they write on the CPU."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from rst_core.job.cli import main
from rst_core.storage import read_header
from tests.job.test_cli import test_the_whole_chain_by_hand as whole_chain
from tests.job.test_records import MEASURE


def cells(folder: Path, *, on_gpu: bool) -> dict[str, object]:
    models = {read_header(path)["provenance"]["precision"] for path in folder.glob("cells/**/*.pt")}
    # A CPU has no TF32.
    assert models == {"tf32" if on_gpu else "float32"}
    return {
        str(path.relative_to(folder)): json.loads(path.read_text())["results"]
        for path in sorted(folder.glob("cells/**/*.json"))
    }


def test_the_whole_chain(results, jobs_on_the_gpu, one_format, monkeypatch, tmp_path):
    """Search, training, fine-tuning, attacks, a transfer row, a candidate set, features."""
    whole_chain(results)
    found = cells(results, on_gpu=True)
    assert len(found) > 5
    monkeypatch.undo()
    (tmp_path / "cpu").mkdir()
    monkeypatch.chdir(tmp_path / "cpu")
    shutil.copy(results / "data.json", "data.json")
    whole_chain(tmp_path / "cpu")
    assert cells(tmp_path / "cpu", on_gpu=False) == found


@pytest.mark.parametrize("part", [torch.backends.cudnn, torch.backends.cuda.matmul])
def test_nothing_is_measured_in_tf32(results, jobs_on_the_gpu, capsys, part):
    part.allow_tf32 = True
    try:
        assert main(MEASURE) == 1
    finally:
        part.allow_tf32 = False
    assert "compute in tf32; allowed for what is measured is float32" in capsys.readouterr().err
    assert not list(results.glob("cells/**/*.json"))

"""Whole commands on the device: what they write is what they write on the CPU."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.job.test_cli import test_the_whole_chain_by_hand as whole_chain


def cells(folder: Path) -> dict[str, object]:
    return {
        str(path.relative_to(folder)): json.loads(path.read_text())["results"]
        for path in sorted(folder.glob("cells/**/*.json"))
    }


def test_the_whole_chain(results, jobs_on_the_gpu, one_format, monkeypatch, tmp_path):
    """Search, training, fine-tuning, attacks, a transfer row, a candidate set, features."""
    whole_chain(results)
    found = cells(results)
    assert len(found) > 5
    monkeypatch.undo()
    (tmp_path / "cpu").mkdir()
    monkeypatch.chdir(tmp_path / "cpu")
    shutil.copy(results / "data.json", "data.json")
    whole_chain(tmp_path / "cpu")
    assert cells(tmp_path / "cpu") == found

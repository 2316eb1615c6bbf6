"""A search killed with SIGKILL, started again: the bit-identical ticket."""

import os
import signal
import subprocess
import sys

import pytest
import torch

from rst_core.job.flags import to_flags
from rst_core.storage import load_tensors
from tests.conftest import BRIEF, DIGITS, NARROW

pytestmark = pytest.mark.e2e

CELL = "cells/digits/narrow/signed_kaiming_constant-seed0/rst-keep0.3-element-pgd7-eps8"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "rst_core", *words]


def test_a_search_killed_at_any_moment_ends_with_the_uninterrupted_ticket(tmp_path):
    search = command(
        "search", f"{CELL}/best_val/ticket.pt", "--data", "data.json", "--threads", "1",
        *to_flags(NARROW), *to_flags(BRIEF), "--batch-size", "128", "--epochs", "8",
    )  # fmt: skip
    # Epochs enough that even a starved test kills long before the end.
    for folder in ("whole", "killed"):
        (tmp_path / folder).mkdir()
        data = command(
            "data", "data.json", "--name", "digits", *to_flags(DIGITS), "--validation-images", "900"
        )  # fmt: skip
        subprocess.run(data, cwd=tmp_path / folder, check=True, capture_output=True)
    subprocess.run(search, cwd=tmp_path / "whole", check=True, capture_output=True)

    for epoch in (1, 2):
        with subprocess.Popen(
            search, cwd=tmp_path / "killed", stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if f"epoch {epoch}," in line:
                    os.kill(process.pid, signal.SIGKILL)
                    break
        assert process.returncode == -signal.SIGKILL
        assert not list((tmp_path / "killed").rglob("ticket.pt"))
    found = subprocess.run(
        search, cwd=tmp_path / "killed", check=True, capture_output=True, text=True
    )
    assert "continuing after epoch" in found.stderr
    for selection in ("best_val", "last"):
        one, other = (
            load_tensors(tmp_path / folder / CELL / selection / "ticket.pt", "Model")[1]
            for folder in ("whole", "killed")
        )
        assert torch.equal(one["masks"]["data"], other["masks"]["data"])
        assert torch.equal(one["batch_norm"], other["batch_norm"])
    leftovers = [p.name for p in (tmp_path / "killed").rglob("*") if p.suffix in (".part", ".pt")]
    assert sorted(leftovers) == ["ticket.pt", "ticket.pt"]

"""The GPU path, on a device that pretends (tests/pretend_gpu)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

CHECKS = sorted(path.name for path in (ROOT / "tests" / "pretend_gpu").glob("check_*.py"))


@pytest.mark.parametrize("check", CHECKS)
def test_the_gpu_path(check):
    """In a process of its own: a device cannot be taken back."""
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-p", "no:xdist",
         "-o", "python_files=check_*.py", f"tests/pretend_gpu/{check}"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stdout + found.stderr
    assert " passed" in found.stdout

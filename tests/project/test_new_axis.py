"""An axis that is added as CONTRIBUTING says is there from the config to tables and claims."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from tests.conftest import ROOT
from tests.recipes import add_axis


def test_an_axis_takes_five_files_of_the_package_and_the_config(tmp_path):
    for folder in ("rst_core", "workflow"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    add_axis(tmp_path / "rst_core")
    shutil.copy(ROOT / "tests/project/with_new_axis.py", tmp_path / "test_it.py")
    paths = os.pathsep.join(map(str, (tmp_path, ROOT)))
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout + found.stderr

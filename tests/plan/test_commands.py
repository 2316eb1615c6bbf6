"""The plan's command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rst_core import cli
from tests.conftest import ROOT
from tests.plan.examples import made_up
from workflow.plan import cli as plan_cli
from workflow.plan.calibration import (
    write_calibration,
)
from workflow.plan.project import Project


@pytest.fixture
def announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that announces two commands."""
    folder = tmp_path / "site" / "announced-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: announced\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(
        "[rst.commands]\nhello = some_folder.module:hello\nneedy = some_folder.needy:needy\n"
    )
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_command_of_another_package_is_found_in_the_current_folder(
    announced: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert cli.main(["hello", "you"]) == 1
    assert "no folder 'some_folder' here; run it in the root" in capsys.readouterr().err
    package = announced / "some_folder"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "module.py").write_text("def hello(words):\n    print(*words)\n    return 5\n")
    (package / "needy.py").write_text("import a_package_that_nobody_has\n")
    assert cli.main(["hello", "you", "there"]) == 5
    assert capsys.readouterr().out == "you there\n"
    assert cli.main(["needy"]) == 1
    assert "needs a_package_that_nobody_has, which is not installed" in capsys.readouterr().err


def test_the_commands_are_announced() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for name in ("plan", "status", "calibrate"):
        assert f'{name} = "workflow.plan.cli:{name}"' in text
        assert callable(getattr(plan_cli, name))


def test_failures_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert plan_cli.plan(["fig7"]) == 1
    assert "run this in the root of the repository" in capsys.readouterr().err
    monkeypatch.chdir(ROOT)
    assert plan_cli.plan(["fig77"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert plan_cli.plan(["fig7", "--calibration", str(tmp_path / "none.json")]) == 1
    assert "'rst calibrate' makes it" in capsys.readouterr().err


def test_planning_and_looking_need_no_torch(project: Project) -> None:
    write_calibration(project.root / "c.json", made_up(project))
    program = (
        "import sys; from workflow.plan.cli import plan, status; "
        "words = ['--configfile', sys.argv[1], '--calibration', 'c.json', 'all']; "
        "assert plan(words) == 0 and status(words) == 0; "
        "bad = {'torch', 'pandas', 'snakemake'} & set(sys.modules); assert not bad, bad"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(ROOT / "demo/matrix.yaml")],
        cwd=project.root, env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nothing was started" in done.stdout
    found = [p.name for p in project.root.iterdir()]
    assert sorted(found) == ["c.json", "config.yaml"]
    json.loads((project.root / "c.json").read_text())

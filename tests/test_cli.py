"""The command line of plan and status."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest

from rst_core.job import cli as core
from tests.conftest import ROOT
from tests.plan.examples import project_in
from workflow import cli


def test_failures_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["plan", "fig7"]) == 1
    assert "run this in the root of the repository" in capsys.readouterr().err
    monkeypatch.chdir(ROOT)
    assert cli.main(["plan", "fig77"]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    for words in (["plan", "--tflops", "0"], ["plan", "--gpus", "nan"], ["status", "--window=-1"]):
        with pytest.raises(SystemExit, match="2"):
            cli.main(words)


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_ctrl_c_is_one_line_and_a_defect_has_its_traceback_above_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    def raising(error: BaseException) -> None:
        def make(arguments: object) -> str:
            raise error

        monkeypatch.setitem(cli.COMMANDS, name, (make, ""))

    raising(KeyboardInterrupt())
    words = [name, "some/cell"] if name == "watch" else [name]
    assert cli.main(words) == core.INTERRUPTED == 130
    assert capsys.readouterr().err == f"rst {name}: interrupted\n"
    raising(ZeroDivisionError("a defect"))
    assert cli.main(words) == 1
    *trace, last = capsys.readouterr().err.splitlines()
    assert trace[0].startswith("Traceback")
    assert last == f"rst {name}: unexpected ZeroDivisionError: a defect; the traceback is above"


def test_every_other_command_is_that_of_rst_core(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[list[str] | None] = []
    monkeypatch.setattr(core, "main", lambda argv: seen.append(argv) or 75)
    assert cli.main(["search", "some/cell"]) == 75
    assert seen == [["search", "some/cell"]]
    assert cli.main(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "plan, status" in text
    assert "search" in text


def test_a_missing_library_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is only torch, rst is installed without what the workflow needs."""
    monkeypatch.setitem(sys.modules, "workflow.plan.project", None)
    assert cli.main(["plan"]) == 1
    assert "'make install' installs everything" in capsys.readouterr().err


def test_torch_is_loaded_to_count_once_and_never_again(tmp_path: Path) -> None:
    project = project_in(tmp_path)
    program = (
        "import sys; from workflow.cli import main; "
        "words = ['--configfile', sys.argv[1], 'fig7']; "
        "assert main(['plan', *words]) == 0 and main(['status', *words]) == 0; "
        "print(sorted({'torch', 'pandas', 'snakemake.workflow'} & set(sys.modules)))"
    )

    def loaded() -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, str(ROOT / "demo/matrix.yaml")], cwd=project.root,
            env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "nothing was started" in done.stdout
        return done.stdout.splitlines()[-1]

    assert loaded() == "['torch']"
    assert loaded() == "[]"
    found = {path.name for path in project.root.iterdir()}
    assert found == {"config.yaml", ".snakemake"}


def test_rst_is_a_script_of_the_workflow() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    module, _, function = project["project"]["scripts"]["rst"].partition(":")
    assert getattr(import_module(module), function) is cli.main
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    assert all(any(fnmatch(name, p) for p in packages) for name in ("workflow.plan", "rst_core"))

"""Arrows point down, as docs/architecture.md draws it, and tests stand where their code stands."""

import ast
from itertools import chain
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.tree import PAGE, line_of, tree

PRODUCT = ("rst_core", "workflow", "benchmarks", "measurements")
#: Tests that cut across modules; all others mirror the code.
ACROSS = (
    "crosschecks", "e2e", "golden", "paper", "pretend_gpu", "project", "slurm",
    "artifacts/claims/test_mutations.py", "test_architecture.py",
)  # fmt: skip


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module or ""} | {f"{node.module}.{a.name}" for a in node.names}
    return found


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def test_the_science_does_not_know_that_it_is_a_job():
    for path in modules("rst_core"):
        if "job" in path.relative_to(ROOT / "rst_core").parts or path.name == "__main__.py":
            continue
        jobs = {name for name in imported(path) if name.startswith("rst_core.job")}
        assert not jobs, f"{path} imports {jobs}"


@pytest.mark.parametrize("word", ["snakemake", "slurm", "sbatch"])
def test_the_package_names_no_workflow_engine_and_no_scheduler(word):
    named = [path for path in modules("rst_core") if word in path.read_text().lower()]
    assert not named


def test_the_package_imports_nothing_of_the_workflow():
    for path in modules("rst_core"):
        assert not {name for name in imported(path) if name.split(".")[0] == "workflow"}, path


def test_the_map_has_the_line_of_every_file():
    assert tree() in PAGE.read_text(encoding="utf-8"), "run: .venv/bin/python -m tests.tree"


def test_every_module_says_in_its_first_line_what_it_is():
    for path in chain.from_iterable(map(modules, PRODUCT)):
        assert line_of(path) or not path.read_text().strip(), path


def test_every_other_file_of_tests_is_called_after_the_module_that_it_tests():
    """tests/x/test_y.py tests x/y.py of one of the two packages, or the folder x/y."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        place = path.relative_to(ROOT / "tests")
        if any(place.is_relative_to(across) for across in ACROSS):
            continue
        tested = place.with_name(place.stem.removeprefix("test_"))
        found = [ROOT / package / tested for package in ("rst_core", "workflow")]
        assert any(f.is_dir() or f.with_suffix(".py").is_file() for f in found), place


def takes_anything(pattern: ast.pattern) -> bool:
    match pattern:
        case ast.MatchAs(pattern=None):
            return True
        case ast.MatchAs(pattern=inner):
            return takes_anything(inner)
        case ast.MatchOr(patterns=choices):
            return any(map(takes_anything, choices))
        case _:
            return False


def without_default(source: str) -> list[int]:
    """Lines of the matches that may take no case."""
    matches = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Match)]
    last = [(node.lineno, node.cases[-1]) for node in matches]
    return [line for line, case in last if case.guard or not takes_anything(case.pattern)]


@pytest.mark.parametrize("folder", PRODUCT)
def test_every_match_has_a_default(folder):
    for path in modules(folder):
        assert not without_default(path.read_text()), path


@pytest.mark.parametrize(
    ("case", "default"),
    [
        ("_", True),
        ("x", True),
        ("1 | (_ as x)", True),
        ("1 | 2", False),
        ("[_]", False),
        ("_ if z", False),
    ],
)
def test_a_default_takes_anything_without_a_condition(case, default):
    assert without_default(f"match y:\n    case {case}: pass") == ([] if default else [1])

"""Every command in the documents works as typed, in a copy of the project with a tiny matrix."""

from __future__ import annotations

import copy
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from tests.conftest import ROOT
from tests.e2e.conftest import TINY, copy_project
from tests.test_config import PAPER
from workflow.config import read_config
from workflow.matrix import Matrix

pytestmark = pytest.mark.e2e

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
#: What a block is; a block without its language could hide a command from this test.
LANGUAGES = {"sh", "python", "yaml", "text"}
COMMAND = re.compile(
    r"^(?:\w+=\S+ )*(?:\.venv/bin/\w+|make|snakemake|python|pytest|rst \w+) ", re.M
)
NOT_RUN = "# not run by the tests: "
#: One dataset and one network play all parts, so that a dry run is planned in seconds.
CAST = {
    part: dict.fromkeys(PAPER["roles"][part], name)
    for part, name in (("datasets", "digits"), ("networks", "tiny"))
}


@dataclass(frozen=True)
class Block:
    """A fenced block, or a command within a sentence, and where it stands."""

    place: str
    language: str
    text: str


def blocks(page: str, text: str) -> list[Block]:
    found, fence = [], re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
    for match in fence.finditer(text):
        place = f"{page}:{text[: match.start()].count(chr(10)) + 1}"
        found.append(Block(place, match[1], match[2]))
    return found


def inline(page: str, text: str) -> list[Block]:
    """Commands of the project in sentences; ``rst plan`` alone is the name of one."""
    kept = re.sub(r"^```.*?^```$", lambda m: "\n" * m[0].count("\n"), text, flags=re.M | re.S)
    spans = re.finditer(r"`([^`]+)`", kept)
    return [
        Block(f"{page}:{kept[: span.start()].count(chr(10)) + 1}", "sh", " ".join(span[1].split()))
        for span in spans
        if COMMAND.match(" ".join(span[1].split()))
    ]


def commands(text: str) -> list[str]:
    """Lines of a shell block that are run: without comments, continued lines joined."""
    lines = text.replace("\\\n", " ").splitlines()
    return [line for line in lines if NOT_RUN not in line and shlex.split(line, comments=True)]


def as_run(line: str) -> str:
    """The command as this test runs it: what would take hours, dry.

    Raises:
        ValueError: if the line is no command that can be run here, and does not say so.
    """
    if "…" in line:
        raise ValueError(f"{line!r} cannot be typed")
    match = re.match(r"((?:\w+=\S+ )*)(\S+)(.*)", line)
    assert match is not None
    variables, program, rest = match.groups()
    words = shlex.split(rest, comments=True)
    if program == "make":
        return f"make -C {shlex.quote(str(ROOT))} --dry-run {shlex.join(words)}"
    if program == ".venv/bin/snakemake":
        dry = "" if {"-n", "--unlock"} & set(words) else " -n"
        return f"{variables}{program}{dry} {shlex.join(words)}"
    if program == ".venv/bin/python" and words[:1] == ["-m"]:
        # They rewrite what is committed, or take minutes: it is looked whether they are there.
        # -P, because modules of tests are not in the copy.
        found = f"import importlib.util; assert importlib.util.find_spec({words[1]!r})"
        return f"cd {shlex.quote(str(ROOT))} && .venv/bin/python -c {shlex.quote(found)}"
    if program in (".venv/bin/rst", ".venv/bin/python"):
        return line
    if program == ".venv/bin/pytest":
        return f"cd {shlex.quote(str(ROOT))} && .venv/bin/pytest --collect-only -q {rest}"
    raise ValueError(f"{line!r} is not found as typed, or says not '{NOT_RUN}…'")


TEXTS = {str(page.relative_to(ROOT)): page.read_text() for page in PAGES}
BLOCKS = [block for name, text in TEXTS.items() for block in blocks(name, text)]
#: Each command once, where it stands first; with and without -n it is the same to this test.
COMMANDS = {
    tuple(sorted(set(shlex.split(line, comments=True)) - {"-n"})): (line, block.place)
    for block in reversed(BLOCKS + [b for name, text in TEXTS.items() for b in inline(name, text)])
    if block.language == "sh"
    for line in commands(block.text)
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A copy of the project with the files that the documents tell to write."""
    folder = tmp_path_factory.mktemp("documents")
    copy_project(folder)
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / ".venv").symlink_to(sys.prefix)
    # A dry run asks for Apptainer's version and starts nothing in it.
    (folder / "bin").mkdir()
    (folder / "bin/apptainer").write_text("#!/bin/sh\necho apptainer version 1.3.4\n")
    (folder / "bin/apptainer").chmod(0o755)
    for block in BLOCKS:
        if block.language == "yaml" and (name := re.match(r"# (\w+\.yaml):", block.text)):
            (folder / name[1]).write_text(block.text)
    return folder


def run(folder: Path, *command: str) -> str:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": path}
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said[-3000:]
    assert "Traceback" not in said, said[-3000:]
    return said


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.place)
def test_a_block_says_its_language(block):
    assert block.language in LANGUAGES
    assert block.language != "text" or not COMMAND.search(block.text)


@pytest.mark.parametrize("page", sorted(TEXTS))
def test_no_command_stands_in_an_indented_block(page):
    assert not re.search(rf"^    {COMMAND.pattern[1:]}", TEXTS[page], re.MULTILINE)


@pytest.mark.parametrize(("line", "place"), sorted(COMMANDS.values(), key=lambda one: one[1]))
def test_a_command_works_as_typed(folder, line, place):
    config = copy.deepcopy(PAPER)
    if not re.search("--profile demo|demo/matrix", line):  # which extend the paper's
        update_config(config, TINY | {"roles": CAST})
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    said = run(folder, "bash", "-c", as_run(line))
    if line.startswith(".venv/bin/snakemake"):
        assert len(said.splitlines()) <= 200, "a person reads a dry run"


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.language == "python"], ids=lambda block: block.place
)
def test_a_python_block_runs(folder, block):
    assert NOT_RUN in block.text or run(folder, sys.executable, "-c", block.text)


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.language == "yaml"], ids=lambda block: block.place
)
def test_a_yaml_block_is_a_config(block):
    config = copy.deepcopy(PAPER)
    update_config(config, yaml.safe_load(block.text))
    assert list(Matrix(read_config(config)).all_cells())


@pytest.mark.parametrize(
    "line",
    [
        "snakemake -n all_tables",
        "rst plan table3",
        "curl -O somewhere",
        ".venv/bin/snakemake results/…/fig7.png",
    ],
)
def test_what_cannot_be_typed_is_refused(line):
    with pytest.raises(ValueError, match=r"cannot be typed|not found as typed"):
        as_run(line)


def test_a_line_that_cannot_be_run_says_so():
    assert commands(f"$EDITOR file {NOT_RUN}opens an editor\nmake demo  # words\n# words\n") == [
        "make demo  # words"
    ]

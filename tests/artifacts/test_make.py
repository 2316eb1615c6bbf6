"""What holds of every table and figure, and what a reader of a stand-in is told."""

import re
import subprocess
import sys

import pandas as pd
import pytest

from rst_core.identity import Dense
from tests.artifacts.figures.pictures import KEY
from tests.artifacts.made_up import made_up
from tests.conftest import ROOT
from workflow.artifacts.figures.panels import PanelFigure
from workflow.artifacts.make import make
from workflow.artifacts.registry import ARTIFACTS, FIGURES, TABLES


@pytest.fixture(scope="module")
def everything(demo):
    return made_up(demo, demo.config.experiments)


@pytest.mark.parametrize("name", ARTIFACTS)
def test_an_artifact_takes_its_own_numbers_from_a_frame_of_everything(name, demo, everything):
    artifact = ARTIFACTS[name]
    wanted = set(artifact.cells(demo))
    own = made_up(demo, artifact.experiments, wanted.__contains__)
    assert own["cell"].nunique() == len(wanted)
    expected = artifact.build(own, demo)
    if isinstance(artifact, PanelFigure):
        assert expected["mean"].notna().all()
    pd.testing.assert_frame_equal(expected, artifact.build(everything, demo))


@pytest.mark.parametrize("name", ARTIFACTS)
@pytest.mark.parametrize("share", ["all", "some", "none"])
def test_every_artifact_is_drawn_from_whatever_exists(name, share, demo, tmp_path, monkeypatch):
    artifact = ARTIFACTS[name]

    def keep(cell):
        return share == "all" or (share == "some" and not isinstance(cell.model, Dense))

    frame = made_up(demo, artifact.experiments, keep)
    monkeypatch.setattr("workflow.artifacts.make.read_cells", lambda cells: frame)
    make(artifact, [], demo, tmp_path / name)
    written = pd.read_csv(tmp_path / f"{name}.csv")
    # Section 4.7 is about the wide network, which the demo has not.
    assert written["mean"].notna().any() == (share != "none" and name != "sec47")
    assert written["data"].str.contains("stand-in for").all()
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    if name in FIGURES:
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    if isinstance(artifact, PanelFigure):
        planned = {panel.letter for panel in artifact.panels if panel.planned(demo)}
        assert set(written["panel"].astype(object).fillna("")) == planned


def test_a_table_on_a_stand_in_says_so_in_title_caption_and_heads(demo, tmp_path, monkeypatch):
    frame = made_up(demo, TABLES["table3"].experiments)
    monkeypatch.setattr("workflow.artifacts.make.read_cells", lambda cells: frame)
    make(TABLES["table3"], [], demo, tmp_path / "table3")
    page = (tmp_path / "table3.md").read_text()
    title, *_, caption = page.strip().splitlines()
    assert "(on stand-in data)" in title
    assert "stand-in for CIFAR-100" in caption
    assert "Digits† (stand-in for CIFAR-10)" in page


def test_making_an_artifact_loads_neither_torch_nor_scipy(tmp_path):
    """Each is a process of its own, whose start would be most of its work. Heatmaps are
    seaborn's, which loads scipy."""
    code = (
        "import importlib, sys\n"
        "from workflow.artifacts.registry import FIGURES, TABLES\n"
        "import workflow.artifacts.make, workflow.artifacts.report.page\n"
        "for folder, artifacts in (('tables', TABLES), ('figures', FIGURES)):\n"
        "    for artifact in artifacts.values():\n"
        "        if artifact.module != 'heatmaps':\n"
        "            importlib.import_module(f'workflow.artifacts.{folder}.{artifact.module}')\n"
        "bad = {'torch', 'scipy'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


RULES = ("table", "figure", "claims", "protocol", "training_curves", "partial", "cells_csv")


@pytest.mark.parametrize("rule", RULES)
def test_a_script_that_cannot_be_imported_says_why_in_its_log(rule, tmp_path):
    log, script = tmp_path / "a.log", ROOT / "workflow/scripts/show.py"
    program = (
        "import runpy, sys\nfrom types import SimpleNamespace as Some\n"
        "sys.modules['workflow.artifacts'] = None\n"
        f"job = Some(log=[{str(log)!r}], config={{}}, rule={rule!r})\n"
        f"runpy.run_path({str(script)!r}, {{'snakemake': job}})"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert found.returncode == 1
    assert log.read_text().splitlines()[-1] == found.stderr.strip()
    assert re.search(f"workflow.artifacts.*; the traceback is in {log}$", found.stderr)


@pytest.mark.parametrize("name", ARTIFACTS)
def test_no_caption_has_a_key_of_the_config(name):
    assert not KEY.search(f"{ARTIFACTS[name].title} {ARTIFACTS[name].caption}")

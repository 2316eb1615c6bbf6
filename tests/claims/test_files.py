"""The file of claims, and the files made from it."""

import itertools
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from rst_core.records import pack_outcomes
from rst_core.spec import FeatureDistance
from tests.claims.claim import DENSE, RSTS, claim_of
from tests.claims.world import judges
from tests.conftest import ROOT
from tests.e2e.conftest import copy_project
from workflow.artifacts import claims as module
from workflow.artifacts.claims import FAILS, HOLDS, NOT_HERE, judge, make_claims
from workflow.artifacts.claims_data import CLAIMS, ClaimsError, claim_cells, read_claims
from workflow.matrix import cell_file


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tolerence": "slack"}, "Extra inputs are not permitted"),
        ({"tolerance": "slak"}, "'slak' is no word; allowed is slack"),
        ({"at_least": None}, "has no bound"),
        ({"of": {"model": "rst", "keep": 0.2}}, "Extra inputs are not permitted"),
        ({"of": {"model": "rsst"}}, "dense_natural"),
        ({"tolerance": 0.5}, "valid string"),
    ],
)
def test_a_slip_in_the_file_is_an_error(tmp_path, change, message):
    test = {"of": {**RSTS, "keep_ratio": 0.2}, "at_least": 0, **change}
    claim = {"id": "a", "title": "t", "section": "1", "quote": "q", "rests_on": "r"}
    claim |= {"experiments": ["existence"], "test": test}
    path = tmp_path / "claims.yaml"
    path.write_text(
        yaml.safe_dump({"words": {"slack": {"value": 1, "reason": "r"}}, "claims": [claim]})
    )
    with pytest.raises(ClaimsError, match=message):
        read_claims(path)


def test_a_side_with_an_axis_that_its_model_has_not_is_an_error(small, matrix):
    test = {"of": {**DENSE, "keep_ratio": 0.2}, "at_least": 0}
    with pytest.raises(ValueError, match="keep_ratio, which dense_adversarial has not"):
        judge(small, matrix, claim_of(test))


def test_all_files_are_made_from_all_some_and_no_cells(
    papers_world, matrix, claims, tmp_path, monkeypatch
):
    for share, frame in {"all": papers_world, "none": papers_world[:0]}.items():
        monkeypatch.setattr(module, "read_cells", lambda cells, frame=frame: frame)
        make_claims([], matrix, tmp_path / share)
        written = pd.read_csv(tmp_path / f"{share}.csv")
        assert list(written["claim"]) == [claim.id for claim in claims.claims]
        places = pd.read_csv(tmp_path / f"{share}_places.csv")
        assert len(places) == written["places"].sum()
        page = (tmp_path / f"{share}.html").read_text()
        assert all(f'id="{claim.id}"' in page for claim in claims.claims)
        assert ("✓ holds" in page) == (share == "all")
        assert "http" not in page  # needs nothing from elsewhere
        assert (tmp_path / f"{share}.png").read_bytes().startswith(b"\x89PNG")
    assert "✓ holds" in (tmp_path / "all.md").read_text()


@pytest.mark.e2e
def test_the_target_makes_all_files_from_cell_files(demo, tmp_path):
    project = copy_project(tmp_path)
    shutil.copy(ROOT / "demo" / "matrix.yaml", tmp_path / "tiny.yaml")
    random = np.random.default_rng(0)
    for cell in claim_cells(demo):
        record = {"cell": cell.path, "kind": type(cell).__name__}
        if isinstance(cell, FeatureDistance):
            grid = (2.0, 4.0, 8.0, 12.0, 16.0)
            noisy = [{"eps": e, "mean": 0.1, "deviation": 0.1, "total": 50} for e in grid]
            record["results"] = noisy
        else:
            record["results"] = [
                {
                    "model": one.path,
                    "natural": pack_outcomes(random.random(50) < 0.8),
                    "robust": pack_outcomes(random.random(50) < 0.5),
                    "parameters": 1000,
                    "parameters_kept": 100,
                }
                for one in judges(demo, cell)
            ]
        path = tmp_path / cell_file(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record))
    found = project.run("claims", "--allowed-rules", "claims")
    assert found.returncode == 0, found.stdout + found.stderr
    made = project.files("results/claims*")
    assert made == {f"results/claims{s}" for s in (".csv", "_places.csv", ".md", ".html", ".png")}
    written = pd.read_csv(tmp_path / "results/claims.csv")
    judged = written[written["verdict"].isin([HOLDS, FAILS])]
    assert len(judged) > 40
    assert judged["paired"].dropna().any()
    assert set(written["verdict"]) <= {HOLDS, FAILS, NOT_HERE}


def test_the_claims_need_the_cells_of_the_experiments_that_they_name(matrix, claims):
    cells = claim_cells(matrix)
    assert len(cells) == len(set(cells))
    named = {e for claim in claims.claims for e in claim.experiments}
    assert named <= set(matrix.config.experiments)
    assert set(cells) == set(itertools.chain.from_iterable(matrix.cells(e) for e in named))
    assert CLAIMS.is_file()

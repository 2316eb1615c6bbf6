"""The page and the files beside it, and the rule that makes them."""

import re

import pandas as pd
import pytest

from tests.e2e.conftest import demo_with_made_up_cells
from workflow.artifacts.claims import make_claims, verdicts
from workflow.artifacts.claims.verdicts import WORDS
from workflow.artifacts.numbers.frame import COLUMNS


@pytest.mark.parametrize("share", ["all", "none"])
def test_the_files_are_made_from_all_and_from_no_cells(
    share, matrix, claims, papers_verdicts, tmp_path, monkeypatch
):
    monkeypatch.setattr(verdicts, "read_cells", lambda cells: pd.DataFrame(columns=COLUMNS))
    if share == "all":
        monkeypatch.setattr(verdicts, "all_verdicts", lambda *_: papers_verdicts)
    make_claims([], matrix, tmp_path / "claims", tmp_path / "page.html", remark="Partial: 1 < 2")
    written = pd.read_csv(tmp_path / "claims.csv")
    assert list(written["claim"]) == [claim.id for claim in claims.claims]
    if share == "all":
        places = pd.read_csv(tmp_path / "claims_places.csv")
        assert len(places) == written["places"].sum()
    else:
        assert set(written["verdict"]) == {"without cells"}
        assert set(written["reason"]) == {"not yet measured"}
    page = (tmp_path / "claims.html").read_text()
    counts = written["verdict"].value_counts()
    for word in WORDS:
        assert f"{counts.get(word, 0)} {word}</li>" in page
    assert all(f'id="{claim.id}"' in page for claim in claims.claims)
    assert page.count("<svg") == (written["effect"].notna().sum() if "effect" in written else 0)
    assert "nan" not in page.replace("finance", "")
    assert not re.search(r"https?:", page)  # needs nothing from elsewhere
    assert 'href="figures/fig1.png"' in page
    assert "<p>Partial: 1 &lt; 2.</p>" in page
    assert (tmp_path / "page.html").read_text() == re.sub(r"</?a\b.*?>", "", page)
    # No effect leaves the picture.
    ends = [float(x) for x in re.findall(r'(?:cx|x1|x2|x)="(-?[\d.]+)%"', page)]
    assert min(ends, default=0) >= 0
    assert max(ends, default=100) == 100


@pytest.mark.e2e
def test_the_target_makes_all_files_from_cell_files(tmp_path):
    project = demo_with_made_up_cells(tmp_path)
    found = project.run("claims", "--allowed-rules", "claims")
    assert found.returncode == 0, found.stdout + found.stderr
    made = project.files("results/demo/claims*")
    assert made == {f"results/demo/claims{s}" for s in (".csv", "_places.csv", ".html")}
    written = pd.read_csv(tmp_path / "results/demo/claims.csv")
    measured = written[written["verdict"] != "without cells"]
    assert len(measured) > 45
    two_seeds = measured["claim"] == "transfer_from_other_seed"  # of an experiment with two
    assert set(measured.loc[~two_seeds, "reason"].dropna()) <= {
        "one seed decides nothing; two are the least",
        "a part of the statement has no cells",
    }

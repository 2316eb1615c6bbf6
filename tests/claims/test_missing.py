"""What is said of claims whose cells are missing, or are of stand-ins."""

import pandas as pd

from rst_core.spec import Dense, Ticket
from tests.claims.claim import DENSE, RSTS, claim_of
from tests.claims.world import frame_of
from workflow.artifacts import claims_render
from workflow.artifacts.claims import HOLDS, NOT_HERE, NOT_YET, judge
from workflow.artifacts.claims_data import claim_cells
from workflow.artifacts.frame import COLUMNS


def test_missing_cells_are_not_yet_and_missing_seeds_are_counted(small, matrix):
    test = {
        "quantifier": "every",
        "over": {"keep_ratio": [0.1, 0.2]},
        "tests": {"of": RSTS, "minus": DENSE, "at_least": 0},
    }
    row = judge(small[small["keep_ratio"] != 0.2], matrix, claim_of(test)).iloc[0]
    assert row["verdict"] == NOT_YET
    assert (row["places_measured"], row["places_in_config"]) == (1, 2)
    assert pd.isna(row["margin"])
    hole = (small["model"] == "dense_adversarial") & (small["seed"] == 1)
    row = judge(small[~hole], matrix, claim_of(test)).iloc[0]
    assert (row["seeds"], row["seeds_planned"], row["clear"]) == (1, 3, "one seed")


def test_what_the_config_lacks_is_named_and_the_rest_is_judged(small, matrix):
    over = {"keep_ratio": [0.1, 0.25]}
    test = {"quantifier": "every", "over": over, "tests": {"of": RSTS, "at_least": 40}}
    row = judge(small, matrix, claim_of(test)).iloc[0]
    assert row["verdict"] == HOLDS
    assert row["missing"] == "keep ratio 0.25"
    assert claims_render.verdict_words(row).endswith("on 1 of 2 comparisons")
    only = judge(small, matrix, claim_of({"of": {**RSTS, "keep_ratio": 0.25}, "at_least": 0}))
    assert only.iloc[0]["verdict"] == NOT_HERE
    elsewhere = claim_of({"of": {**RSTS, "keep_ratio": 0.1}, "at_least": 0}, ["no_such_experiment"])
    assert judge(small, matrix, elsewhere).iloc[0]["verdict"] == NOT_HERE


def test_a_range_is_judged_on_the_ratios_that_the_config_has(demo):
    over = {"keep_ratio": {"from": 0.01, "to": 0.2}}
    test = {"quantifier": "every", "over": over, "tests": {"of": RSTS, "at_least": 0}}
    frame = frame_of(demo, demo.cells("existence"), lambda row: 50.0)
    row = judge(frame, demo, claim_of(test, ["existence"])).iloc[0]
    assert row["keep_ratios"] == "0.05, 0.2"
    row = judge(frame, demo, claim_of(test, ["inits"])).iloc[0]
    assert row["keep_ratios"] == "0.2 (one stands for a whole range)"


def test_without_any_cell_every_claim_says_so(matrix):
    empty = judge(pd.DataFrame(columns=COLUMNS), matrix)
    assert set(empty["verdict"]) == {NOT_YET}
    assert empty["margin"].isna().all()


def test_a_stand_in_is_marked_in_every_row_and_every_page(demo, claims):
    cells = [c for c in claim_cells(demo) if isinstance(c.model, Dense | Ticket)]
    verdicts = judge(frame_of(demo, cells, lambda row: 50.0), demo)
    assert verdicts["stand_in"].all()
    assert verdicts["data"].str.contains(r"Digits.* for (?:CIFAR|SVHN|ImageNet)").all()
    page = claims_render.markdown(verdicts, claims, demo)
    assert "not about the paper" in page
    rows = [line for line in page.splitlines() if line.startswith("| ") and "Statement" not in line]
    assert len(rows) == len(claims.claims)
    assert all("(stand-in)" in r for r in rows if "✓" in r or "✗" in r)
    assert "not about the paper" in claims_render.html(verdicts, claims, demo)

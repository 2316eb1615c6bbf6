"""The vocabulary of tests, by pencil and paper."""

import numpy as np
import pandas as pd
import pytest

from tests.claims.claim import DENSE, RSTS, claim_of
from tests.claims.world import frame_of
from workflow.artifacts import claims_render
from workflow.artifacts.claims import FAILS, HOLDS, judge


@pytest.mark.parametrize(
    ("test", "margin"),
    [
        ({"of": {**RSTS, "keep_ratio": 0.2}, "minus": DENSE, "at_least": -7}, 1),
        ({"of": {**RSTS, "keep_ratio": 0.2}, "minus": DENSE, "at_least": -5}, -1),
        (
            {
                "of": {**RSTS, "keep_ratio": 0.2},
                "minus": DENSE,
                "at_least": -5,
                "tolerance": "slack",
            },
            0,
        ),
        ({"of": {**RSTS, "keep_ratio": 0.2}, "minus": DENSE, "at_most": -5}, 1),
        ({"of": {**RSTS, "keep_ratio": 0.2}, "minus": DENSE, "at_least": -9, "at_most": -5}, 1),
        ({"of": {**RSTS, "keep_ratio": 0.2}, "minus": DENSE, "at_least": -9, "at_most": -8}, -2),
        ({"of": {**RSTS, "keep_ratio": 0.2}, "minus": DENSE, "times": 0.5, "at_least": 0}, 19),
        ({"of": {**RSTS, "keep_ratio": 0.2}, "at_least": 40}, 4),
        ({"of": {**RSTS, "keep_ratio": [0.1, 0.3]}, "minus": DENSE, "at_least": -7}, 1),
        ({"of": {**RSTS, "keep_ratio": {"from": 0.1, "to": 0.2}}, "at_least": 43}, 0),
        ({"of": [DENSE, DENSE], "minus": [DENSE, {**RSTS, "keep_ratio": 0.5}], "at_least": 0}, 0),
        ({"order": [DENSE, {**RSTS, "keep_ratio": 0.4}, {**RSTS, "keep_ratio": 0.1}]}, 2),
        ({"order": [DENSE, {**RSTS, "keep_ratio": 0.1}, {**RSTS, "keep_ratio": 0.4}]}, -6),
    ],
)
def test_comparisons_have_the_margin_that_pencil_and_paper_give(small, matrix, test, margin):
    row = judge(small, matrix, claim_of(test)).iloc[0]
    assert row["margin"] == pytest.approx(margin)
    assert row["verdict"] == (HOLDS if margin >= 0 else FAILS)
    assert row["seeds"] == 2


@pytest.mark.parametrize(
    ("quantifier", "margin"),
    # RST less 43 at 0.1, 0.15, 0.2, 0.3 and 0.4: -1, 0, 1, 3 and 5
    [("every", -1), ("most", 1), ("some", 5)],
)
def test_quantifiers_count_places(small, matrix, quantifier, margin):
    over = {"keep_ratio": {"from": 0.1, "to": 0.4}}
    test = {"quantifier": quantifier, "over": over, "tests": {"of": RSTS, "at_least": 43}}
    row = judge(small, matrix, claim_of(test)).iloc[0]
    assert row["margin"] == pytest.approx(margin)
    assert row["places"] == 5


def test_other_epochs_and_the_order_of_rows_change_nothing(small, matrix):
    test = {"of": {**RSTS, "keep_ratio": 0.2}, "minus": DENSE, "at_least": 0}
    last = small.assign(selection="last", value=0.0)
    mixed = pd.concat([last, small, last]).sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        judge(mixed, matrix, claim_of(test)), judge(small, matrix, claim_of(test))
    )


def test_flags_of_the_cells_behind_a_verdict_are_shown(small, matrix):
    test = {"of": {**RSTS, "keep_ratio": 0.2}, "minus": DENSE, "at_least": 0}
    flagged = small.assign(flags=np.where(small["model"] == "dense_adversarial", "odd", None))
    row = next(judge(flagged, matrix, claim_of(test)).itertuples())
    assert row.flags == "odd"
    assert "flags: odd" in claims_render.rests_words(row)


def test_quantifiers_nest(small, matrix):
    inner = {
        "quantifier": "some",
        "over": {"keep_ratio": [0.1, 0.4]},
        "tests": {"of": RSTS, "at_least": 43},
    }
    test = {"quantifier": "every", "over": {"measure": ["robust", "natural"]}, "tests": inner}
    assert judge(small, matrix, claim_of(test)).iloc[0]["margin"] == pytest.approx(5)


def test_the_switch_is_the_mean_of_the_transfer_matrix(matrix):
    def number(row):
        return 10 * row["source_keep_ratio"] + row["keep_ratio"]

    frame = frame_of(matrix, matrix.cells("r2s"), number)
    test = {"of": {**RSTS, "switch": {"experiment": "r2s"}}, "at_least": 0}
    value = judge(frame, matrix, claim_of(test, ["r2s"])).iloc[0]["value"]
    assert value == pytest.approx(11 * np.mean(matrix.config.experiments["r2s"].keep_ratios))


def test_an_attacker_among_other_seeds_is_the_mean_over_them(matrix):
    def number(row):
        return row["seed"] + 10 * row["source_seed"]

    frame = frame_of(matrix, matrix.cells("transfer_seeds"), number)
    at = {"targets": "other_seeds", "keep_ratio": 0.1, "model": "rst"}
    test = {"at": at, "of": {"source_seed": "other"}, "minus": {}, "at_least": 0}
    row = judge(frame, matrix, claim_of(test, ["transfer_seeds"])).iloc[0]
    # over seeds 0, 1, 2: sources' means 15, 10, 5 instead of 0, 10, 20
    assert row["value"] == pytest.approx(0)
    assert row["seeds"] == 3

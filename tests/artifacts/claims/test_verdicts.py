"""Verdicts on the paper's own world, and on the worlds that once got a wrong one."""

import numpy as np
import pandas as pd
import pytest

from tests.artifacts.claims.one_claim import made_up, mean, verdict
from tests.artifacts.claims.test_paper import CONTRADICTED
from tests.artifacts.claims.world import IMAGES, changed, measured_row, with_outcomes
from workflow.artifacts.claims.numbers import Numbers
from workflow.artifacts.claims.paper import papers_plan
from workflow.artifacts.claims.verdicts import all_verdicts

_TRANSFERS = (
    "transfer_diagonal", "transfer_diagonal_everywhere", "transfer_from_dense",
    "transfer_from_other_seed", "transfer_between_rtts",
)  # fmt: skip


def test_the_papers_own_world_has_the_papers_verdicts(papers_verdicts):
    rows = papers_verdicts.rows.set_index("claim")
    undecided = rows[rows["verdict"] == "undecided"]
    assert 0 < len(undecided) <= 8
    assert undecided["detectable"].notna().all(), "each says what would decide it"
    decided = rows.drop(undecided.index)
    contradicted = decided["verdict"] == "contradicted"
    assert set(decided.index[contradicted]) == CONTRADICTED
    assert set(decided.loc[~contradicted, "verdict"]) == {"supported"}
    assert rows["coverage"].isna().all()
    assert not rows["stand_in"].any()


def test_an_interval_leaves_its_bound_exactly_when_the_claim_is_decided(papers_verdicts):
    for row in papers_verdicts.rows.fillna({"at_least": -np.inf, "at_most": np.inf}).itertuples():
        if row.verdict == "supported":
            assert row.interval_low >= row.at_least - 1e-6, row.claim
            assert row.interval_high <= row.at_most + 1e-6, row.claim
        elif row.verdict == "contradicted":
            # two bounds: each side is tested at half of the level
            below = row.interval_high < row.at_least + 0.1
            assert below or row.interval_low > row.at_most - 0.1, row.claim


def test_what_is_counted_makes_no_room_for_errors_of_others(claims, papers_world):
    names = {"rst20_near_dense", "channel_fails", "wrn5_near_its_dense"}
    counted = {claim.id for claim in claims.claims if claim.unit == "million parameters"}
    alone, beside = (
        all_verdicts(papers_world, papers_plan(), claims.model_copy(update={"claims": chosen})).rows
        for chosen in (
            tuple(claim for claim in claims.claims if claim.id in some)
            for some in (names, names | counted)
        )
    )
    assert list(beside[beside["claim"].isin(counted)]["verdict"]) == ["supported"] * len(counted)
    beside = beside[beside["claim"].isin(names)].reset_index(drop=True)
    pd.testing.assert_series_equal(alone["interval_low"], beside["interval_low"])


@pytest.mark.parametrize("claim", _TRANSFERS)
def test_attacks_that_do_85_percent_of_the_damage_do_not_transfer_poorly(
    claim, trees, papers_world
):
    changes = {}
    for leaf in trees[claim].leaves:
        (_, transferred), *rest = leaf.terms
        own, natural = (np.mean([mean(papers_world, k) for k in a.keys]) for _, a in rest)
        changes[transferred.keys[0]] = natural - 0.85 * (natural - own)
    assert verdict(claim, changed(papers_world, changes))["verdict"] == "contradicted"


@pytest.mark.parametrize(("way", "word"), [(1, "supported"), (-1, "undecided")])
def test_models_are_paired_by_seed_and_image(way, word, papers_world):
    """Three points between two tickets, and seeds that deviate by eight points."""
    first, second = ({"model": "rst", "keep_ratio": ratio} for ratio in (0.2, 0.3))
    claims = made_up({"of": first, "minus": second, "is": "better"})
    rows, deviation = dict(papers_world.rows), np.array([-8.0, 0.0, 8.0])
    for ratio, values in ((0.2, 50 + deviation), (0.3, 47 + way * deviation)):
        at = ("rst", ratio, "robust", None)
        key = next(k for k in rows if (k.model, k.keep_ratio, k.measure, k.targets) == at)
        by_seed = zip(rows[key].items(), values, strict=True)
        rows[key] = {seed: [measured_row(row, value)] for (seed, (row,)), value in by_seed}
    row = verdict("made_up", Numbers(rows, papers_world.matrix), claims)
    assert row["verdict"] == word
    if word == "supported":
        assert row["interval_high"] - row["interval_low"] < 1.5


def test_r2s_below_the_dense_on_cifar100_contradicts_its_adaptive_gains(trees, papers_world):
    changes = {
        key: 17.0
        for leaf in trees["adaptive_attacks_gain"].leaves
        for w, a in leaf.terms
        for key in a.keys
        if w > 0 and key.dataset == "cifar100"
    }
    row = verdict("adaptive_attacks_gain", changed(papers_world, changes))
    assert row["verdict"] == "contradicted"
    assert "cifar100" in row["decided_by"]


def test_27_of_28_places_contradict_what_holds_for_one_of_two_comparisons(trees, papers_world):
    """Near the inherited ticket everywhere, far from the re-initialised one but at one place."""
    claim = "vanilla_near_finetuned_natural"
    places = trees[claim].tree.children
    changes = {}
    for i, place in enumerate(places):
        for child, far in zip(place.children, (0.0, 10.0 if i else 0.0), strict=True):
            (_, rst), (_, finetuned) = child.terms
            changes[rst.keys[0]] = 60.0
            changes[finetuned.keys[0]] = 60.0 + far
    assert len(places) == 28
    assert verdict(claim, changed(papers_world, changes))["verdict"] == "contradicted"


@pytest.mark.parametrize(
    ("robust", "natural", "word"),
    [(0.0, 0.0, "supported"), (-0.2, -0.2, "supported"), (2.0, -2.0, "contradicted")],
)
def test_inits_that_tie_do_not_rank_differently(robust, natural, word, trees, papers_world):
    """Xavier against Kaiming normal; the others lie apart, in the same order in both."""
    behind = {"signed_kaiming_constant": 0, "kaiming_normal": 3, "kaiming_uniform": 9}
    changes = {}
    for key in trees["natural_ranking_of_inits"].keys:
        start, off = (45.0, robust) if key.measure == "robust" else (75.0, natural)
        changes[key] = start - behind.get(key.init, 3 - off)
    row = verdict("natural_ranking_of_inits", changed(papers_world, changes))
    assert row["verdict"] == word


def test_tickets_at_5_percent_under_an_attack_contradict_general_robustness(papers_world):
    keys = [
        k
        for k in papers_world.rows
        if (k.model, k.attack, k.targets) == ("rst", "auto_attack", None) and k.candidates is None
    ]
    assert len(keys) == 24
    found = verdict(
        "robust_against_other_attacks", changed(papers_world, dict.fromkeys(keys[:11], 5.0))
    )
    assert found["verdict"] == "contradicted"


def test_the_strongest_adversary_is_taken_image_by_image(trees, papers_world):
    """Two attacks that leave disjoint halves leave nothing together."""
    leaves = trees["r2s_gain_survives"].leaves
    assert {len(a.groups) for leaf in leaves for w, a in leaf.terms if w > 0} == {14}
    half = np.arange(IMAGES) < IMAGES // 2
    outcomes = {}
    for leaf in leaves:
        one, other, *_ = leaf.terms[0][1].groups
        outcomes |= dict.fromkeys(one, half) | dict.fromkeys(other, ~half)
    row = verdict("r2s_gain_survives", with_outcomes(papers_world, outcomes))
    assert row["verdict"] == "contradicted"
    assert row["effect"] < -20


@pytest.mark.parametrize("attacker", [0, 7, 13], ids=["whole set", "one ticket", "another seed"])
def test_one_attacker_that_leaves_nothing_is_enough(attacker, trees, papers_world):
    """PGD-20 on one ticket and one other seed's set are attackers too."""
    leaves = trees["r2s_gain_survives"].leaves
    keys = [key for leaf in leaves for key in leaf.terms[0][1].groups[attacker]]
    nothing = dict.fromkeys(keys, np.zeros(IMAGES, dtype=bool))
    row = verdict("r2s_gain_survives", with_outcomes(papers_world, nothing))
    assert row["verdict"] == "contradicted"
    assert row["effect"] < -20


def test_the_dense_is_under_its_own_strongest_attack_too(trees, papers_world):
    """R2S far below the dense under PGD-20 gains where Auto-Attack leaves the dense nothing."""
    leaves = trees["r2s_gain_survives"].leaves
    dense = [[key for (key,) in leaf.terms[1][1].groups] for leaf in leaves]
    assert {tuple(k.attack for k in keys) for keys in dense} == {
        ("pgd20", "pgd100", "auto_attack_stress")
    }
    whole = [key for leaf in leaves for group in leaf.terms[0][1].groups for key in group]
    tenth = np.arange(IMAGES) < IMAGES // 10
    low = dict.fromkeys(whole, tenth)
    assert (
        verdict("r2s_gain_survives", with_outcomes(papers_world, low))["verdict"] == "contradicted"
    )
    fooled = {keys[-1]: np.zeros(IMAGES, dtype=bool) for keys in dense}
    row = verdict("r2s_gain_survives", with_outcomes(papers_world, low | fooled))
    assert row["verdict"] == "supported"

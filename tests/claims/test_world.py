"""Every claim holds in a world as the paper says, and fails in the opposite one."""

from dataclasses import replace

import pytest

from workflow.artifacts.claims import HOLDS, judge
from workflow.artifacts.claims_data import read_claims
from workflow.artifacts.claims_judge import Judge
from workflow.artifacts.claims_numbers import measured, planned


@pytest.fixture(scope="module")
def verdicts(papers_world, matrix):
    return judge(papers_world, matrix).set_index("claim")


def test_every_claim_can_be_judged_on_the_papers_matrix_and_holds_in_its_world(verdicts):
    wrong = verdicts[verdicts["verdict"] != HOLDS]
    shown = wrong[["verdict", "margin", "value", "decided_by", "missing"]].to_dict("index")
    assert shown == {}
    assert verdicts["missing"].isna().all()
    assert not verdicts["stand_in"].any()
    assert (verdicts["places"] == verdicts["places_measured"]).all()
    assert len(verdicts) > 60


@pytest.mark.parametrize("claim", read_claims().claims, ids=lambda c: c.id)
def test_every_claim_fails_once_what_it_is_about_comes_out_the_other_way(
    claim, claims, matrix, world
):
    plan, numbers = world
    own_plan = {a: s for e in claim.experiments for a, s in plan[e].items()}
    tree = Judge(claims, claim, matrix, own_plan, numbers).tree(claim.test)
    assert tree.margin >= 0
    moved = set()
    places = list(tree.places())
    for place in places:
        moved |= {a for weight, side in place.sides if weight > 0 for a in side}
    moved -= {a for place in places for weight, side in place.sides if weight < 0 for a in side}
    moved = moved or {a for weight, side in places[0].sides if weight > 0 for a in side}
    sign = -1 if places[0].comparison.at_least is not None else 1
    other_way = dict(numbers)
    for address in moved:
        other_way[address] = {
            seed: [replace(n, value=n.value + sign * 200) for n in several]
            for seed, several in numbers[address].items()
        }
    assert Judge(claims, claim, matrix, own_plan, other_way).tree(claim.test).margin < 0


@pytest.fixture(scope="module")
def world(papers_world, matrix, claims):
    names = {e for claim in claims.claims for e in claim.experiments}
    return {e: planned(matrix, e) for e in names}, measured(papers_world, matrix)

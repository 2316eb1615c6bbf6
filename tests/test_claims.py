"""Claims: the vocabulary of tests, their uncertainty, every claim on made-up cells."""

import itertools
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import norm

from rst_core.records import pack_outcomes
from rst_core.spec import Dense, FeatureDistance, Ticket, TransferRow
from tests.conftest import ROOT
from tests.e2e.conftest import copy_project
from tests.test_config import PAPER, extended
from workflow.artifacts import claims as module
from workflow.artifacts import claims_render
from workflow.artifacts.claims import FAILS, HOLDS, NOT_HERE, NOT_YET, judge, make_claims
from workflow.artifacts.claims_data import (
    CLAIMS,
    Claims,
    ClaimsError,
    Comparison,
    Quantified,
    claim_cells,
    read_claims,
)
from workflow.artifacts.claims_error import estimate
from workflow.artifacts.claims_judge import ALPHA, Group, Judge, Place
from workflow.artifacts.claims_numbers import Number, measured, planned
from workflow.artifacts.frame import COLUMNS, cell_rows
from workflow.artifacts.summary import paper_values
from workflow.config import read_config
from workflow.matrix import Matrix, cell_file


@pytest.fixture(scope="module")
def matrix():
    return Matrix(read_config(PAPER))


@pytest.fixture(scope="module")
def demo():
    return Matrix(read_config(extended(ROOT / "demo" / "matrix.yaml")))


@pytest.fixture(scope="module")
def claims():
    return read_claims()


# -- the paper's own world: robust and natural accuracies that bear every statement out ------

_DENSE = {
    ("resnet18", "cifar10"): (50.19, 81.73),
    ("wideresnet32", "cifar10"): (52.27, 85.93),
    ("resnet18", "cifar100"): (26.94, 56.88),
    ("wideresnet32", "cifar100"): (29.81, 61.14),
    ("resnet18", "svhn"): (50.0, 90.0),
}
#: Robust points that an RST loses against its dense, by keep ratio; ResNet18.
_LOSS = {
    0.01: 9.0, 0.03: 5.0, 0.05: 3.4, 0.07: 2.6, 0.1: 2.45, 0.15: 2.3, 0.2: 2.08, 0.3: 2.1,
    0.4: 2.3, 0.5: 3.0, 0.6: 4.0, 0.7: 6.0, 0.8: 9.0, 0.9: 12.0,
}  # fmt: skip
_IMAGENET = {"imagenet_resnet18": (37.09, 56.25), "resnet50": (35.24, 53.84)}
_IMAGENET |= {"resnet101": (40.65, 60.56)}
_IMAGENET_4 = {"imagenet_resnet18": (25.46, 50.41), "resnet50": (21.99, 46.36)}
_IMAGENET_4 |= {"resnet101": (26.68, 54.84)}
#: What a model gains in robust and natural accuracy over the RST of its keep ratio.
_GAIN = {
    "rst": (0, 0),
    "finetuned_inherited": (1.6, 1.6),
    "finetuned_reinitialised": (-1.6, -1.6),
    "rtt_adversarial": (2.5, 2.0),
    "rtt_natural": (-3, -2),
    "rtt_transferred": (-2.75, -2),
}
_PATTERN = {"element": 0, "row": -3, "kernel": -6, "channel": -30}
#: Robust accuracy of the two denses under other attacks, less PGD-20's at eps 8.
_ATTACKED = {
    ("auto_attack", 8): (-3.8, -2.6),
    ("auto_attack", 12): (-9.06, -7.3),
    ("cw_inf", 8): (-1.2, 1.89),
    ("cw_inf", 12): (-4.28, -3.05),
    ("cw_l2", None): (2.59, 4.86),
    ("bandits", 8): (16.8, 17.01),
    ("bandits", 12): (13.98, 13.59),
    ("pgd20_l2", 0.5): (13.42, 11.67),
    ("pgd20_l2", 1.71): (-9.34, -15.72),
    ("pgd20_l2", 2): (-11.15, -17.61),
}


def accuracies(row):
    """Robust and natural accuracy of a model under an attack on itself."""
    kind, network = row["model"], row["network"]
    if row["dataset"] == "imagenet":
        return (_IMAGENET if row["trained_eps"] == 2 else _IMAGENET_4)[network]
    robust, natural = _DENSE[network, row["dataset"]]
    wide = network == "wideresnet32"
    attack = (row["attack"], row["attack_eps"])
    if attack[0] not in ("pgd20", "eot_pgd20", "ensemble_pgd20"):
        robust += _ATTACKED[attack][wide]
    if kind == "dense_natural":
        return (0.0, 95.0)
    if kind == "dense_adversarial":
        return (robust, natural)
    k, (gain, natural_gain) = row["keep_ratio"], _GAIN[kind]
    robust -= _LOSS[k] * (0.38 if wide else 1)
    natural -= _LOSS[k] * (0.9 if wide else 1.0) + (0.35 if k == 0.2 else 0)
    if attack[0] != "pgd20":
        robust += 1.5 if attack[0] != "pgd20_l2" else 3 if attack[1] == 0.5 else 6.4
    if wide and k == 0.01 and kind == "finetuned_reinitialised":
        gain = 0.1
    if wide and kind == "finetuned_reinitialised":
        natural_gain = 0.5
    other = (row["init"] != "signed_kaiming_constant") + (row["method"] != "pgd7")
    stronger = row["trained_eps"] - 8
    gain += _PATTERN[row["pattern"]] - 2 * other - stronger
    gain -= stronger / 4 if kind == "rtt_natural" else 0
    natural_gain += _PATTERN[row["pattern"]] - 2 * other
    return (robust + gain, natural + natural_gain)


def made_number(row):
    """The value of one row of the tidy frame."""
    if row["measure"] == "feature_distance":
        share = {"dense_natural": 0.06, "untrained": 0.04, "dense_adversarial": 0.01}
        return share[row["model"]] * row["noise_eps"]
    own, natural = accuracies(row)
    if row["measure"] == "natural":
        return natural
    dense = _DENSE.get((row["network"], row["dataset"]), (0, 0))[0]
    if row["candidates"]:
        return dense + (11.0 if row["network"] == "wideresnet32" else 9.0)
    same = row["source_keep_ratio"] == row["keep_ratio"] and row["source_seed"] == row["seed"]
    if row["kind"] == "TransferRow" and not (same and row["source_model"] == row["model"]):
        return own + 19.0
    return own


def judges(matrix, cell):
    """The models that a cell has results of."""
    if isinstance(cell, TransferRow):
        return [target.model for target in matrix.targets(cell)]
    return getattr(cell.model, "tickets", [cell.model])


def frame_of(matrix, cells, number=made_number):
    """A frame with a number for every result of every cell, without outcomes."""
    rows = []
    for cell in cells:
        record = {"cell": cell.path, "kind": type(cell).__name__}
        if isinstance(cell, FeatureDistance):
            grid = [{"eps": e, "mean": 0.0, "total": 10000} for e in (2.0, 4.0, 8.0, 12.0, 16.0)]
            rows += cell_rows({**record, "results": grid})
            continue
        counts = {"correct": 0, "total": 10000}
        results = []
        for one in judges(matrix, cell):
            total = {"resnet18": 11164352}.get(one.network.name, 46143184)
            kept = int(total * getattr(one, "keep_ratio", 1))
            result = {"model": one.path, "natural": counts, "robust": counts}
            results.append({**result, "parameters": total, "parameters_kept": kept})
        rows += cell_rows({**record, "results": results})
    rows = [{**dict.fromkeys(COLUMNS), **row} for row in rows]
    for row in rows:
        row["value"] = number(row)
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.fixture(scope="module")
def papers_world(matrix):
    return frame_of(matrix, claim_cells(matrix))


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


# -- the paper's numbers in claims.yaml are those of its tables --------------------------------


def leaves(test):
    if isinstance(test, Comparison):
        yield test
    elif isinstance(test, Quantified):
        for inner in test.tests:
            yield from leaves(inner)


@pytest.mark.parametrize("claim", read_claims().claims, ids=lambda c: c.id)
def test_bounds_are_the_quotations_own_numbers_or_words_with_a_reason(claim, claims):
    for leaf in leaves(claim.test):
        for bound in (leaf.at_least, leaf.at_most):
            if isinstance(bound, float) and bound:
                assert f"{abs(bound):.2f}" in claim.quote.replace("4/31", "4.31")  # a misprint
    assert all(word.reason for word in claims.words.values())


_WIDE = "0.03+0.05+0.07+0.1+0.15+0.2+0.3"
_RTT_SET = "rtt_adversarial_r2s@0.03+0.05+0.07+0.1+0.15+0.2+0.4"
_RN, _WRN, _RN_1, _AA = "resnet18", "wideresnet32", "resnet18/dense_adversarial@1", "auto_attack"
#: Claim, which of its comparisons, table, row, less row, column.
_PUBLISHED = [
    ("rst20_near_dense", 0, "fig1", f"{_RN}/rst@0.2", _RN_1, "cifar10/robust"),
    ("rst20_near_dense", 1, "fig1", f"{_RN}/rst@0.2", _RN_1, "cifar10/natural"),
    ("wrn10_beats_dense_resnet18", 0, "fig1", f"{_WRN}/rst@0.1", _RN_1, "cifar10/robust"),
    ("wrn10_beats_dense_resnet18", 1, "fig1", f"{_WRN}/rst@0.1", _RN_1, "cifar10/natural"),
    *(
        (claim, number, "table6", f"{_WRN}/rst@0.05", f"{less}/dense", f"cifar10/{_AA}-eps{eps}")
        for claim, number, less, eps in (
            ("wrn5_beats_dense_resnet18", 0, _RN, 8),
            ("wrn5_beats_dense_resnet18_eps12", 0, _RN, 12),
            ("wrn5_near_its_dense", 0, _WRN, 8),
            ("wrn5_near_its_dense", 1, _WRN, 12),
        )
    ),
    ("r2s_gain_pgd20", 0, "table3", f"{_RN}/r2s", f"{_RN}/dense", "cifar10/robust"),
    ("r2s_gain_pgd20", 1, "table3", f"{_WRN}/r2s", f"{_WRN}/dense", "cifar10/robust"),
    *(
        (
            "r2s_sets_largest_gain",
            i,
            "table8",
            f"{net}/r2s@{best}",
            f"{net}/dense",
            f"{data}/pgd20-eps8",
        )
        for i, (net, data, best) in enumerate(
            [
                (_RN, "cifar10", _WIDE),
                (_WRN, "cifar10", _WIDE),
                (_RN, "cifar100", "0.07+0.1+0.15+0.2+0.3"),
                (_WRN, "cifar100", _WIDE),
            ]
        )
    ),
    *(
        (
            "imagenet_resnet101_beats_dense",
            i,
            "table1",
            f"resnet101/rst@0.25/eps{eps}",
            f"imagenet_resnet18/dense/eps{eps}",
            f"imagenet/{column}",
        )
        for i, (eps, column) in enumerate(
            [(2, "pgd20_small-eps2"), (2, "natural"), (4, "pgd20_small-eps4"), (4, "natural")]
        )
    ),
    *(
        ("rtt_switch_gain", i, "table9", f"{_RN}/{_RTT_SET}", f"{_RN}/dense", f"{data}/pgd20-eps8")
        for i, data in enumerate(["cifar10", "cifar100"])
    ),
]


@pytest.mark.parametrize(("name", "number", "table", "row", "less", "column"), _PUBLISHED)
def test_the_papers_values_are_those_of_its_tables(claims, name, number, table, row, less, column):
    published = paper_values(table)
    claim = next(c for c in claims.claims if c.id == name)
    leaf = list(leaves(claim.test))[number]
    assert leaf.paper == pytest.approx(published[row, column] - published[less, column], abs=1e-6)


# -- the vocabulary ------------------------------------------------------------------------------

RSTS = {"model": "rst"}
DENSE = {"model": "dense_adversarial"}


def claim_of(test, experiments=("dense", "existence"), words=None):
    claim = {
        "id": "made_up", "title": "made up", "section": "0", "quote": "q", "rests_on": "nothing",
        "experiments": list(experiments), "test": test,
    }  # fmt: skip
    words = words or {"slack": {"value": 1.0, "reason": "r"}}
    return Claims.model_validate({"words": words, "claims": [claim]})


@pytest.fixture(scope="module")
def small(matrix):
    """CIFAR-10 and ResNet18: the dense at 50, the RST of keep ratio k at 40 + 20 k, two seeds."""

    def number(row):
        if row["measure"] == "natural":
            return 80.0
        jitter = (-0.5, 0.5)[row["seed"]]
        return jitter + (50 if row["model"] == "dense_adversarial" else 40 + 20 * row["keep_ratio"])

    cells = [c for e in ("dense", "existence") for c in matrix.cells(e) if c.model.network.seed < 2]
    return frame_of(matrix, cells, number)


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


# -- what is missing ---------------------------------------------------------------------------


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


def test_without_any_cell_every_claim_says_so(matrix, world):
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


# -- uncertainty --------------------------------------------------------------------------------


def drawn(random, difference, seeds=3, images=400, luck=0.06):
    """Two models on the same images: what is easy is shared, each seed of a model is lucky.

    Outcomes are thresholded sums of normal effects of image (0.8), seed of a model and both (0.6),
    so that the true accuracies are known.
    """
    easy = random.normal(0, 0.8, images)
    sd = np.sqrt(0.8**2 + luck**2 + 0.6**2)
    models = []
    for shift in (difference, 0.0):
        lucky = random.normal(0, luck, (seeds, 1))
        correct = easy + lucky + random.normal(0, 0.6, (seeds, images)) + shift > 0
        packed = [pack_outcomes(one) for one in correct]
        models.append(
            [
                [Number(100 * one.mean(), images, p["outcomes"])]
                for one, p in zip(correct, packed, strict=True)
            ]
        )
    truth = 100 * (norm.cdf(difference / sd) - 0.5)
    return [(1.0, models[0]), (-1.0, models[1])], truth


@pytest.mark.parametrize(
    ("seeds", "difference", "luck"), [(2, 0.0, 0.06), (2, 0.1, 0.2), (3, 0.1, 0.06), (5, 0.3, 0.1)]
)
def test_the_interval_covers_the_truth_as_often_as_it_says(seeds, difference, luck):
    random = np.random.default_rng(seeds)
    covered, widths, errors = [], [], []
    for _ in range(400):
        terms, truth = drawn(random, difference, seeds, luck=luck)
        found = estimate(terms)
        covered.append(abs(found.value - truth) <= found.half_width(ALPHA))
        widths.append(np.hypot(found.seeds_error, found.images_error))
        errors.append(found.value - truth)
    assert np.mean(covered) >= 0.94
    # Not by being wide: the error is the simulation's, but for what is counted twice.
    assert 0.95 <= np.sqrt(np.mean(np.square(widths))) / np.std(errors) <= 1.35


def test_pairing_makes_the_error_smaller_and_leaving_it_out_is_conservative():
    random = np.random.default_rng(1)
    paired, unpaired, values = [], [], []
    for _ in range(200):
        terms, _ = drawn(random, 0.1)
        bare = [(w, [[replace(n, packed=None) for n in s] for s in m]) for w, m in terms]
        paired.append(estimate(terms).images_error)
        unpaired.append(estimate(bare).images_error)
        values.append(estimate(terms).value)
    assert estimate(terms).paired
    assert not estimate(bare).paired
    assert np.mean(paired) < 0.9 * np.mean(unpaired)
    assert np.mean(unpaired) > np.std(values)


def test_one_seed_is_never_clear_and_few_images_never_certain():
    terms = [(1.0, [[Number(100.0, 10, pack_outcomes(np.ones(10, bool))["outcomes"])]])]
    found = estimate(terms)
    assert found.seeds_error is None
    assert found.images_error == pytest.approx(10)  # one image of ten


def judged_at_random(quantifier, random, truths, looks):
    """How often a claim about places with these true differences is clear, each way."""
    quantified = Quantified.model_validate(
        {"quantifier": quantifier, "tests": {"of": RSTS, "at_least": 0}}
    )
    comparison = quantified.tests[0]
    clear = {HOLDS: 0, FAILS: 0}
    for _ in range(looks):
        places = tuple(
            Place(
                label="",
                roles=frozenset(),
                comparison=comparison,
                bounds=(0, np.inf),
                sides=(),
                in_config=True,
                estimate=estimate(drawn(random, d)[0]),
            )
            for d in truths
        )
        group = Group(quantified, places)
        clear[HOLDS] += group.lower(ALPHA) > 0
        clear[FAILS] += group.upper(ALPHA) < 0
    return {word: count / looks for word, count in clear.items()}


@pytest.mark.parametrize("quantifier", ["every", "most", "some"])
def test_looking_at_many_places_makes_no_verdict_clear_by_chance(quantifier):
    """All differences zero: at most 2.5 % each way, with room for 120 looks."""
    shares = judged_at_random(quantifier, np.random.default_rng(7), [0.0] * 6, 120)
    assert max(shares.values()) <= 0.05


def test_what_is_plain_is_clear():
    random = np.random.default_rng(3)
    assert judged_at_random("every", random, [0.8] * 5, 40)[HOLDS] > 0.9
    assert judged_at_random("some", random, [-0.8] * 5, 40)[FAILS] > 0.9
    assert judged_at_random("every", random, [0.8] * 4 + [-1.2], 40)[FAILS] > 0.9


# -- the file, and the files made from it --------------------------------------------------------


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

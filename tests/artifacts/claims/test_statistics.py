"""Error rates and power of verdicts, on simulations whose truth is known."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from workflow.artifacts.claims.definitions import read_claims
from workflow.artifacts.claims.numbers import Address, Sample, _sample
from workflow.artifacts.claims.statistics import (
    POWER,
    Estimates,
    aimed,
    bounds_of,
    decided,
    detectable,
    estimates,
    evidence,
    loads_of,
    moderated,
)
from workflow.artifacts.claims.tree import Compiled, Group, Leaf
from workflow.artifacts.numbers.keyed import Key

RATE = 0.05
RUNS = 200
SEED_DEVIATION, IMAGE_ERROR = 0.6, 0.35


def leaf(index, low=0.0, high=np.inf):
    return Leaf(index, "", (), low, high, (low, high))


def claim_of(leaves, need=None):
    """Of which so many must come out, or all."""
    return Compiled(Group((need or len(leaves)) / len(leaves), tuple(leaves)), leaves)


def weighed(claim, found):
    return evidence(claim, found.value, found.errors())


def words(found, rate=RATE):
    """How often each word comes out of runs."""
    supported, contradicted = (tail.p for tail in found)
    decided = np.minimum(supported, contradicted) <= rate
    ahead = supported < contradicted
    counts = {"supported": decided & ahead, "contradicted": decided & ~ahead}
    return {word: int(came.sum()) for word, came in counts.items()}


def drawn(random, truth, loads, runs=RUNS, seeds=3, deviation=SEED_DEVIATION, images=IMAGE_ERROR):
    """Runs of comparisons with these true values; models deviate, comparisons share them."""
    count, models = loads.shape
    deviation = np.broadcast_to(deviation, models)
    of_seeds = random.normal(0, deviation / np.sqrt(2), (runs, seeds, models)) @ loads.T
    of_images = random.normal(0, images / np.sqrt(2), (runs, 1, models)) @ loads.T
    values = np.reshape(truth, (-1, 1, count)) + of_seeds + of_images
    return Estimates(
        value=values.mean(1),
        variance=values.var(1, ddof=1),
        seeds=np.full(count, float(seeds)),
        images_error=images * np.linalg.norm(loads, axis=1) / np.sqrt(2),
        loads=loads,
    )


def against_one(count):
    """Comparisons of many models with the same one."""
    return np.hstack([np.eye(count), -np.ones((count, 1))])


def of_pairs(count):
    """Comparisons that share no model."""
    return np.hstack([np.eye(count), -np.eye(count)])


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize(
    ("loads", "deviation"),
    [
        (of_pairs(1), SEED_DEVIATION),
        (of_pairs(14), SEED_DEVIATION),
        (against_one(14), SEED_DEVIATION),
        # half of the models four times as unsteady: pooling must not hide it
        (of_pairs(14), np.tile([0.3, 1.2], 14)),
        (against_one(7), np.r_[np.full(7, 0.3), 1.2]),
    ],
    ids=["one", "pairs", "one dense", "unlike", "unsteady dense"],
)
def test_an_error_covers_the_truth_as_often_as_it_says(seeds, loads, deviation):
    random = np.random.default_rng(seeds)
    found = drawn(random, np.zeros(len(loads)), loads, 400, seeds, deviation)
    error, dof = found.errors()
    covered = np.abs(found.value) <= stats.t.isf(RATE / 2, dof) * error
    print(f"coverage {np.mean(covered):.3f}, worst comparison {np.mean(covered, axis=0).min():.3f}")
    assert np.mean(covered) >= 0.94
    assert np.mean(covered, axis=0).min() >= 0.88


def test_variances_that_are_alike_are_pooled_and_shared_models_count_once():
    random = np.random.default_rng(0)
    alike = stats.chi2.rvs(2, size=50, random_state=random) / 2
    pooled, dof = moderated(2 * alike, np.full(50, 2.0), of_pairs(50))
    assert np.log(pooled).std() < 0.3 * np.log(alike).std()
    assert dof.min() > 4
    _, shared = moderated(2 * alike, np.full(50, 2.0), against_one(50))
    assert shared.max() < 10  # comparisons with one dense are alike half by half
    unlike = alike * np.exp(random.normal(0, 2, 50))
    kept, few = moderated(2 * unlike, np.full(50, 2.0), of_pairs(50))
    assert few.max() < 8
    assert np.corrcoef(np.log(kept), np.log(unlike))[0, 1] > 0.9


def test_conjunctions_by_pencil_and_paper():
    leaves = [leaf(i) for i in range(4)]
    value = stats.norm.isf([0.001, 0.01, 0.02, 0.2])
    errors = np.ones(4), np.full(4, np.inf)
    for need, support, factor in ((4, 0.2, 1), (3, 2 * 0.02, 2), (1, 4 * 0.001, 4)):
        found = evidence(claim_of(leaves, need), value, errors)
        assert found.support.p == pytest.approx(support)
        assert found.support.factor == factor
    below = evidence(claim_of(leaves), -value, errors)
    assert below.contradiction.p == pytest.approx(4 * 0.001)  # one of four is enough
    below = evidence(claim_of(leaves, 1), -value, errors)
    assert below.contradiction.p == pytest.approx(0.2)  # all four must fail
    assert below.contradiction.leaf == 3


@pytest.mark.parametrize(
    ("value", "supported", "p"), [(0.0, True, 3.0), (2.0, True, 1.0), (5.0, False, 2.0)]
)
def test_equivalence_is_two_one_sided_tests(value, supported, p):
    margin = claim_of([leaf(0, -3, 3)])
    found = evidence(margin, np.array([value]), (np.ones(1), np.full(1, np.inf)))
    assert found.stronger is (found.support if supported else found.contradiction)
    assert found.stronger.p == pytest.approx(stats.norm.sf(p) * (1 if supported else 2))


@pytest.mark.parametrize("need", [12, 9, 1])
def test_on_the_bound_neither_word_comes_more_often_than_the_rate(need):
    """All comparisons exactly on their bound, for every quantifier."""
    found = drawn(np.random.default_rng(2), np.zeros(12), against_one(12))
    came = words(weighed(claim_of([leaf(i) for i in range(12)], need), found))
    print(came)
    assert max(came.values()) <= 0.08 * RUNS  # 5 % with room for 200 runs


@pytest.mark.parametrize("claim", [claim.id for claim in read_claims().claims])
def test_true_effects_of_the_detectable_size_rarely_fail_and_are_found(claim, trees):
    """With the power that is stated; effects between two bounds lie in their middle."""
    tree = trees[claim]
    effect = detectable(tree, expected(tree), RATE)
    size = 100 if effect is None else effect
    half, came = (simulated(tree, aimed(tree.leaves, part * size)) for part in (0.5, 1))
    power = came["supported"] / RUNS
    shown = "two bounds" if effect is None else f"{effect:.2f} beyond the bound, stated {POWER}"
    print(f"{claim}: power {power:.2f} at {shown}; {came['contradicted']} of {RUNS} contradicted")
    assert max(half["contradicted"], came["contradicted"]) <= RATE * RUNS
    # Stated power and found power are both shares of 200 runs: three standard errors.
    slack = 3 * np.sqrt(2 * POWER * (1 - POWER) / RUNS)
    assert effect is None or power >= POWER - slack


def expected(tree):
    """The errors of three seeds."""
    loads = loads_of(tree.leaves)
    count = len(loads)
    return Estimates(
        value=np.zeros(count),
        variance=(loads**2).sum(1) * SEED_DEVIATION**2 / 2,
        seeds=np.full(count, 3.0),
        images_error=IMAGE_ERROR * np.linalg.norm(loads, axis=1) / np.sqrt(2),
        loads=loads,
    )


def simulated(tree, truth):
    """How often each word comes out."""
    found = drawn(np.random.default_rng(11), truth, loads_of(tree.leaves))
    return words(weighed(tree, found))


@pytest.mark.parametrize(
    ("claim", "independent"),
    [("wrn5_near_its_dense", 1), ("r2s_gain_auto_attack", 2), ("feature_distances", 1)],
)
def test_a_pair_of_models_under_two_attacks_is_one_pair(claim, independent, trees):
    tree = trees[claim]
    loads = loads_of(tree.leaves)
    assert np.linalg.matrix_rank(loads) == independent < len(loads)
    # On the bound, where seeds deviate so much that nothing else counts.
    random, (low, high) = np.random.default_rng(7), bounds_of(tree.leaves)
    truth = np.where(np.isfinite(low), low, high)
    found = drawn(random, truth, loads, 10 * RUNS, deviation=25 * IMAGE_ERROR)
    for tail in weighed(tree, found):
        assert np.mean(tail.p <= RATE) <= RATE + 0.015  # three standard errors


def test_wrong_verdicts_among_those_that_decide_stay_below_the_rate():
    """Half of 60 claims true, half false, by effects of all sizes from none upwards."""
    random, claim = np.random.default_rng(5), claim_of([leaf(i) for i in range(6)])
    truth = np.r_[np.linspace(0, 3, 30), -np.linspace(0, 3, 30)]
    wrong, made = [], []
    for _ in range(60):
        found = weighed(claim, drawn(random, np.tile(truth[:, None], 6), against_one(6), 60))
        p = np.minimum(*(tail.p for tail in found))
        verdicts, level = decided(list(p), RATE)
        assert list(p <= level) == verdicts
        made.append(sum(verdicts))
        wrong.append(int((verdicts & ((found.support.p == p) != (truth > 0))).sum()))
    shares = np.divide(wrong, np.maximum(made, 1))
    print(f"{sum(wrong)} of {sum(made)} verdicts wrong, {shares.mean():.3f}, at most {RATE}")
    assert sum(made) > 600
    assert shares.mean() <= RATE


def test_an_estimate_has_the_errors_of_samples_of_seeds_and_of_images():
    """The second is at least that of one image."""
    address = Address(((Key("cifar10", "resnet18", "", "rst", "robust"),),))
    images = {0: np.array([100.0, 0, 100, 100]), 1: np.array([0.0, 0, 100, 100])}
    numbers = SimpleNamespace(
        counts=lambda _: {0: 1, 1: 1}, sample=lambda _, seed: Sample(images[seed])
    )
    one = Leaf(0, "", ((1.0, address),), 0.0, np.inf, (0.0, np.inf))
    found = estimates([one], numbers, numbers)
    assert found.value == pytest.approx([62.5])
    assert found.variance == pytest.approx([np.var([75, 50], ddof=1)])
    assert found.images_error == pytest.approx([100 / 4])


def test_a_feature_distance_has_the_error_of_its_mean():
    row = {"measure": "feature_distance", "value": 0.5, "deviation": 0.2, "total": 100}
    assert _sample(row).error == pytest.approx(0.02)

"""The uncertainty of verdicts: simulations whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from rst_core.records import pack_outcomes
from tests.claims.claim import RSTS
from workflow.artifacts.claims import FAILS, HOLDS
from workflow.artifacts.claims_data import Quantified
from workflow.artifacts.claims_error import estimate
from workflow.artifacts.claims_judge import ALPHA, Group, Place
from workflow.artifacts.claims_numbers import Number


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

"""The symptoms of a failed attack, in one model and between cells."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import torch

from rst_core.cells import make_evaluation
from rst_core.data import Images
from rst_core.records import pack_outcomes
from rst_core.spec import CandidateSet, Evaluation, TransferRow
from rst_core.suspicion import IMAGES, measure_checks
from rst_core.vocabulary import AttackMethod, Origin, Pattern, Selection
from tests.attack_examples import EXAMPLES
from tests.conftest import DIGITS, NETWORK, PGD7, rst
from tests.test_attacks import linear

CLEAN = {
    "images": 100,
    "zero_gradient": 0,
    "rerun_difference": 0.0,
    "probabilities": False,
    "correct_at_64": 0.0,
}


@pytest.fixture
def example():
    """The linear model, which any ball of 64 fells, and 150 of its images."""
    model, _, images, labels = linear()
    pixels = (images[:150] * 255).round().to(torch.uint8)
    return model, Images(pixels, labels[:150])


def test_an_honest_model_shows_no_symptom(example):
    model, images = example
    assert dataclasses.asdict(measure_checks(model, images, 0)) == CLEAN
    assert IMAGES == 100


def test_saturated_outputs_have_no_gradient_and_stand_at_64(example):
    model, images = example
    steep = lambda x: 1e9 * model(x)  # noqa: E731
    found = measure_checks(steep, images, 0)
    assert found.zero_gradient > 90
    assert found.correct_at_64 > 20, "what its random start does not fell"


def test_a_random_switch_gives_itself_away(example):
    model, images = example
    rng = torch.Generator().manual_seed(0)

    def switch(x):
        return model(x) + torch.randn(len(x), 2, generator=rng)

    assert measure_checks(switch, images, 0).rerun_difference > 0.1


def test_probabilities_are_told_from_logits(example):
    model, images = example
    assert measure_checks(lambda x: model(x).softmax(1), images, 0).probabilities
    assert not measure_checks(lambda x: model(x).abs(), images, 0).probabilities
    assert not measure_checks(lambda x: model(x).log_softmax(1), images, 0).probabilities


def test_the_view_of_a_candidate_set_is_checked_too(example):
    model, images = example
    blind = lambda x: (model(x).detach() + 0 * model(x)) * 1e9  # noqa: E731
    both = lambda x: torch.stack([model(x), blind(x)])  # noqa: E731
    found = measure_checks(both, images, 0)
    assert found.zero_gradient == 0, "one member's gradient is enough to walk along"
    assert found.correct_at_64 == 0
    only_blind = measure_checks(lambda x: torch.stack([blind(x)] * 2), images, 0)
    assert only_blind.zero_gradient == 100
    assert only_blind.correct_at_64 > 40

"""Verdicts of the paper's own numbers, printed and implied."""

import numpy as np
import pytest

from tests.artifacts.claims.one_claim import holds, mean
from tests.artifacts.claims.world import papers_values
from workflow.artifacts.claims.definitions import read_claims
from workflow.artifacts.claims.numbers import Address
from workflow.artifacts.claims.paper import ROUNDING, System, facts, system, weights
from workflow.artifacts.numbers.keyed import COUNTS
from workflow.artifacts.numbers.models import Models
from workflow.artifacts.numbers.summary import paper_values

#: Where the paper contradicts itself, by the definitions of claims.yaml.
CONTRADICTED = {"rst_comparable_natural", "large_ratios_random", "rtt_switch_natural"}


def number(model, keep_ratio=None, network="resnet18", dataset="cifar10", axes=None, **how):
    """One number of the paper's matrix as a term."""
    models = Models(network, dataset, model, keep_ratio, axes or {})
    how = {"measure": "robust", "attack": "pgd20", "attack_eps": 8.0} | how
    return 1.0, Address(((models.key(**how),),))


@pytest.mark.parametrize(
    ("network", "dataset", "below"),
    [
        ("resnet18", "cifar10", 7.09),
        ("resnet18", "cifar100", 8.56),
        ("wideresnet32", "cifar10", 6.41),
        ("wideresnet32", "cifar100", 7.27),
    ],
)
def test_two_candidate_sets_imply_the_ticket_that_they_differ_by(network, dataset, below):
    """Natural accuracy at 5 % is 6 times Table 3 less 5 times the last row of Table 8."""
    at = {"network": network, "dataset": dataset, "measure": "natural"}
    (_, ticket), dense = number("rst", 0.05, **at), number("dense_adversarial", **at)
    low, high = system().bounds((dense, (-1.0, ticket)))
    assert low <= below <= high
    assert high - low < 0.13  # 11 half units of the last digit, and the dense's


def test_what_is_printed_is_known_up_to_its_rounding_and_what_no_fact_is_about_is_not():
    source = {"source_model": "rst", "source_keep_ratio": 0.03, "source_seed": "own"}
    low, high = system().bounds((number("rst", 0.2, targets="tickets", **source),))
    assert (low, high) == pytest.approx((74.15, 74.25))
    assert system().bounds((number("rst", 0.2, axes={"pattern": "row"}),)) is None


def test_facts_that_contradict_each_other_are_an_error():
    one = (number("rst", 0.2),)
    broken = System([(one, 48.1, 48.2), (one, 47.7, 47.9)])
    with pytest.raises(ValueError, match="contradict each other"):
        broken.bounds(one)


def test_the_paper_contradicts_itself_where_it_does_and_nowhere_else(own):
    words = {name: one.word for name, one in own.items()}
    assert {name for name, word in words.items() if word == "contradicts"} == CONTRADICTED
    assert sum(word == "supports" for word in words.values()) >= 25
    silent = {"signed_constant_first", "natural_rtt_exists", "feature_distances"}
    assert {words[name] for name in silent} == {"silent"}


def test_every_printed_number_in_a_test_is_one_of_the_papers(own):
    """But CW-Inf's 2.80, where Table 6 has 2.54: within what a printed number may miss."""
    checked = 0
    for claim in read_claims().claims:
        printed = {c.by for c in claim.test.comparisons() if c.by is not None} - {2.80}
        exact = [i for i in own[claim.id].intervals.to_numpy() if i[1] - i[0] <= ROUNDING]
        assert not printed or own[claim.id].word in ("supports", "silent"), claim.id
        for number in printed if exact else ():
            assert any(low - 1e-6 <= number <= high + 1e-6 for low, high in exact), claim.id
            checked += 1
    assert checked > 15


def test_notable_is_the_smallest_gap_that_the_paper_calls_so():
    table = paper_values("table2")
    gaps = [
        value - table[f"{row.split('/')[0]}/dense", column]
        for (row, column), value in table.items()
        if "rst@" in row and not column.endswith("eps0.5")
    ]
    words = read_claims().words
    assert min(gaps) == pytest.approx(words["notably_better"].at_least)
    assert words["comparable"].at_most == -words["comparable"].at_least == pytest.approx(min(gaps))
    assert words["comparable_or_inferior"].at_most == pytest.approx(min(gaps))
    assert words["better"].at_least == -words["not_worse"].at_least == np.sqrt(0.25 / 10_000) * 100


def test_the_made_up_world_has_all_of_the_papers_numbers(trees, papers_world):
    """And bears out what the paper is silent on, so that a verdict is about the paper."""
    values = papers_values()
    for terms, low, high in facts():
        found = sum(w * values[key] for key, w in weights(terms)[0].items())
        assert low - 0.01 <= found <= high + 0.01
    for name, tree in trees.items():
        counts = {k: mean(papers_world, k) for k in tree.keys if k.measure in COUNTS}
        true = holds(tree.tree, (values | counts).__getitem__)
        assert true == (name not in CONTRADICTED), name

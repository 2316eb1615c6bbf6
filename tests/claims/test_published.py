"""The paper's numbers in claims.yaml are those of its tables and quotations."""

import pytest

from workflow.artifacts.claims_data import Comparison, Quantified, read_claims
from workflow.artifacts.summary import paper_values


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

"""The files of the paper's numbers against each other and against the sentences of its text."""

import re
from decimal import Decimal
from fnmatch import fnmatchcase

import numpy as np
import pytest

from tests.paper.transcription import printed
from workflow.artifacts.numbers.summary import paper_values


def test_parameter_counts_are_those_of_table_1():
    table1 = {
        row.removesuffix("/eps2"): value
        for (row, column), value in printed("table1").items()
        if column == "parameters_m" and row.endswith("/eps2")
    }
    assert {row: value for (row, _), value in printed("parameters").items()} == table1


def test_what_r2s_stress_repeats_is_what_tables_3_and_5_print():
    sources = {
        "dense/pgd20": ("table5", "dense", "pgd20-eps8"),
        "r2s/natural": ("table3", "r2s", "natural"),
        "r2s/pgd20": ("table3", "r2s", "robust"),
        "r2s/eot_pgd20": ("table5", "r2s", "eot_pgd20-eps8"),
        "r2s/ensemble_pgd20": ("table5", "r2s", "ensemble_pgd20-eps8"),
    }
    repeated = printed("r2s_stress")
    assert len(repeated) == 4 * len(sources)
    for (row, column), value in repeated.items():
        table, model, measure = sources[row]
        network, dataset = column.split("/")
        assert printed(table)[f"{network}/{model}", f"{dataset}/{measure}"] == value


def test_the_dense_rows_are_the_same_in_all_tables():
    pgd = {
        (row, column.replace("robust", "pgd20-eps8")): value
        for (row, column), value in printed("table3").items()
        if row.endswith("/dense")
    }
    for name in ("table5", "table8", "table9"):
        dense = {key: v for key, v in printed(name).items() if key[0].endswith("/dense")}
        assert dense
        assert dense.items() <= pgd.items()
    own = printed("table7")["dense_adversarial", "dense_adversarial"]
    assert own == pgd["resnet18/dense", "cifar10/pgd20-eps8"]
    four = {key: v for key, v in printed("table4").items() if key[0].endswith("/dense")}
    assert len(four) == 8
    assert four.items() <= printed("table6").items()


def test_the_dense_networks_of_figure_1_are_those_of_table_3():
    fig1, table3 = printed("fig1"), printed("table3")
    dense = {
        (row, column): v for (row, column), v in fig1.items() if row.endswith("_adversarial@1")
    }
    assert len(dense) == 8
    for (row, column), value in dense.items():
        assert value == table3[row.removesuffix("_adversarial@1"), column]


#: What stands in no table, in the paper's words, and the keys of its numbers in order.
QUOTES = {
    "[59] achieves a 50.48% robust accuracy with a sparsity of 80%": [
        ("sec47", "wideresnet32/adversarial_lottery_ticket@0.2", "cifar10/pgd20-eps8"),
        ("sec47", "wideresnet32/adversarial_lottery_ticket@0.2", "sparsity_percent"),
    ],
    "our RST achieves a 51.39% robust accuracy with a sparsity of 90%": [
        ("sec47", "wideresnet32/rst@0.1", "cifar10/pgd20-eps8"),
        ("sec47", "wideresnet32/rst@0.1", "sparsity_percent"),
    ],
    "with a 60% reduction in the total number of parameters": [
        ("text", "wideresnet32/rst@0.1", "parameters_percent/below/resnet18/dense"),
    ],
    "the vanilla untrained RSTs is within -0.22%∼3.52%": [
        ("text", "finetuned_inherited@0.01-0.2", "pgd20-eps8/above/rst@0.01-0.2/least"),
        ("text", "finetuned_inherited@0.01-0.2", "pgd20-eps8/above/rst@0.01-0.2/most"),
    ],
    "an 80% parameter reduction": [
        ("text", "wideresnet32/rst@0.05", "parameters_percent/below/resnet18/dense"),
    ],
    "a 95% reduction in the model size": [
        ("text", "wideresnet32/rst@0.05", "parameters_percent/below/wideresnet32/dense"),
    ],
    "negligible (e.g., 3%)": [("text", "mask", "parameters_percent")],
    "a 0.84%/1.58% higher robust/natural accuracy": [
        ("text", "resnet18/rtt_adversarial_r2s", "cifar10/pgd20-eps8/above/resnet18/r2s"),
        ("text", "resnet18/rtt_adversarial_r2s", "cifar10/natural/above/resnet18/r2s"),
    ],
    "a 1.68% robust accuracy drop over the corresponding RST": [
        ("text", "resnet18/rtt_transferred@0.05", "cifar100/pgd20-eps8/below/resnet18/rst@0.05"),
    ],
    "up to a 2.75% higher robust accuracy than transferred adversarial RTTs": [
        ("text", "resnet18/rst", "svhn/pgd20-eps8/above/resnet18/rtt_transferred/most"),
    ],
}


def test_what_stands_in_no_table_is_as_the_text_has_it():
    for quote, keys in QUOTES.items():
        numbers = re.findall(r"-?[\d.]+(?=%)", quote)
        assert [Decimal(n) for n in numbers] == [printed(f)[row, column] for f, row, column in keys]


def test_r2s_of_table_8_is_the_mean_of_figure_7():
    """61.03 for {3, 5, 7, 10} %; the three rows that the text still has average 60.9 [6.2]."""
    fig7, ratios = paper_values("fig7"), ("0.03", "0.05", "0.07", "0.1")
    rows = [fig7[r, c] for r in ratios for c in ratios if r != "0.05"]
    assert len(rows) == 12
    assert np.mean(rows) == pytest.approx(60.9, abs=0.05)
    published = paper_values("table8")["resnet18/r2s@0.03+0.05+0.07+0.1", "cifar10/pgd20-eps8"]
    assert np.mean(rows) == pytest.approx(published, abs=0.2)


def test_figure_7_has_its_lowest_numbers_on_the_diagonal():
    fig7 = paper_values("fig7")
    diagonal = {value for (row, column), value in fig7.items() if row == column}
    assert max(diagonal) < min(set(fig7.values()) - diagonal)


def accuracies() -> dict[tuple[str, str], Decimal]:
    """The accuracies of single models, with one spelling of PGD-20."""
    return {
        (row, column.replace("robust", "pgd20-eps8")): value
        for name in ("table1", "table2", "table3", "table4", "table6", "fig1")
        for (row, column), value in printed(name).items()
    }


def test_differences_in_the_text_are_those_of_the_tables():
    """All but one: section 5.5 gives for CW-Inf what Table 6 has for CW-L2."""
    known, checked, wrong = accuracies(), 0, {}
    for (row, column), value in printed("text").items():
        if not (parts := re.fullmatch("(.+)/(above|below)/(.+)", column)):
            continue
        measure, direction, other = parts.groups()
        if {(row, measure), (other, measure)} <= known.keys():
            checked += 1
            above = known[row, measure] - known[other, measure]
            if value != (above if direction == "above" else -above):
                wrong[row, column] = (value, above)
    assert checked == 13
    cw_inf = ("wideresnet32/rst@0.05", "cifar10/cw_inf-eps8/above/resnet18/dense")
    assert wrong == {cw_inf: (Decimal("2.80"), Decimal("2.54"))}
    cw_l2 = [known[row, "cifar10/cw_l2"] for row in ("wideresnet32/rst@0.05", "resnet18/dense")]
    assert cw_l2[0] - cw_l2[1] == Decimal("2.80")


def gains(name: str, network: str, dataset: str, attacks: str) -> list[Decimal]:
    """A table's R2S above its dense network; the adaptive attacks are above plain PGD-20."""
    values, found = printed(name), []
    for (row, column), value in values.items():
        on, attack = column.split("/")
        if row.startswith(f"{network}/") and "r2s" in row and on == dataset:
            dense = values[f"{network}/dense", re.sub("eot_|ensemble_", "", column)]
            found += [value - dense] if fnmatchcase(attack, attacks) else []
    return found


def test_gains_of_r2s_in_the_text_are_those_of_the_tables():
    text, networks = printed("text"), ("resnet18", "wideresnet32")
    ranges = {
        "cifar10/pgd20-eps8": [
            g for n in networks for g in gains("table3", n, "cifar10", "robust")
        ],
        "cifar10/auto_attack": [
            g for n in networks for g in gains("table4", n, "cifar10", "auto*")
        ],
        # The stronger of the two attacks on each network; CIFAR-100 is not in the range.
        "adaptive": [min(gains("table5", n, "cifar10", "*_pgd20-eps8")) for n in networks],
    }
    for measure, found in ranges.items():
        assert min(found) == text["r2s", f"{measure}/above/dense/least"]
        assert max(found) == text["r2s", f"{measure}/above/dense/most"]
    for dataset in ("cifar10", "cifar100"):
        for row, name in (
            ("resnet18/r2s", "table8"),
            ("wideresnet32/r2s", "table8"),
            ("resnet18/rtt_adversarial_r2s", "table9"),
        ):
            network = row.split("/")[0]
            most = text[row, f"{dataset}/pgd20-eps8/above/{network}/dense/most"]
            assert max(gains(name, network, dataset, "pgd20-eps8")) == most

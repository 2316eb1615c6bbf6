"""Which numbers are flagged, on made-up cells."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rst_core.identity import CandidateSet, Dense, Evaluation, TransferRow
from rst_core.records import pack_outcomes
from rst_core.vocabulary import Origin, Pattern, Selection
from tests.artifacts.made_up import bare_record
from tests.conftest import NETWORK, PGD7, rst
from tests.measures.test_suspicion import CLEAN
from workflow.artifacts.numbers.frame import COLUMNS, cell_rows
from workflow.artifacts.numbers.suspicion import FOOTNOTES, carried_flags, check_codes, flagged

BEST = Selection.BEST_VAL
TICKET, OTHER = rst(0.2), rst(0.5)


def numbers(cell, results, method="pgd", norm="linf", total=500, checks=None):
    """The rows of a cell whose targets keep the first so many images."""
    found = [
        {
            "model": target.path,
            "natural": pack_outcomes(np.arange(total) < total),
            "robust": pack_outcomes(np.arange(total) < correct),
        }
        for target, correct in results.items()
    ]
    attack = {"method": method, "norm": norm}
    record = bare_record(cell, found, settings={"attack": attack})
    if checks is not None:
        record["checks"] = checks
    return list(cell_rows(record))


def one(model, attack, correct, eps=8, **settings):
    return numbers(Evaluation(model, BEST, attack, eps), {model: correct}, **settings)


def row(source, results, attack="pgd20", eps=8, targets="tickets"):
    return numbers(TransferRow(source, BEST, targets, attack, eps), results)


def flags(*parts):
    """Flags of robust numbers by (attack, source's and target's keep ratio)."""
    frame = flagged(pd.DataFrame(itertools.chain(*parts), columns=COLUMNS))
    assert (frame.loc[frame["measure"] == "natural", "flags"] == "").all()
    frame = frame[frame["measure"] == "robust"]
    keys = zip(frame["attack"], frame["source_keep_ratio"], frame["keep_ratio"], strict=True)
    return dict(zip(keys, frame["flags"], strict=True))


@pytest.mark.parametrize(
    ("symptom", "code"),
    [
        (None, ""),  # a cell without checks
        ({}, ""),
        ({"zero_gradient": 1}, "zero_gradient"),
        ({"rerun_difference": 1e-6}, ""),
        ({"rerun_difference": 0.1}, "randomised"),
        ({"probabilities": True}, "probabilities"),
        ({"correct_at_64": 9}, ""),
        ({"correct_at_64": 10}, "eps64"),
        ({"correct_at_64": 1, "images": 10}, ""),
        ({"correct_at_64": 40.5, "zero_gradient": 9}, "zero_gradient;eps64"),
    ],
)
def test_a_cells_own_symptoms(symptom, code):
    checks = None if symptom is None else CLEAN | symptom
    assert check_codes(checks) == code
    assert flags(one(TICKET, "pgd20", 200, checks=checks)) == {("pgd20", 0.2, 0.2): code}


@pytest.mark.parametrize(("bandits", "code"), [(196, ""), (195, "black_box"), (300, "")])
def test_a_black_box_attack_that_wins_flags_the_white_box_number(bandits, code):
    """Five images that only Bandits fells are more than two errors; four are not."""
    found = flags(one(TICKET, "pgd20", 200), one(TICKET, "bandits", bandits, method="bandits"))
    assert found[("pgd20", 0.2, 0.2)] == code
    assert found[("bandits", 0.2, 0.2)] == ""


@pytest.mark.parametrize(
    ("white", "black", "code"),
    [
        ({"correct": 200}, {"correct": 90, "total": 100}, "black_box"),
        ({"correct": 50, "total": 100}, {"correct": 200}, ""),
    ],
)
def test_attacks_on_more_and_fewer_images_are_compared_on_the_first_of_both(white, black, code):
    rival = one(TICKET, "bandits", method="bandits", **black)
    assert flags(one(TICKET, "pgd20", **white), rival)[("pgd20", 0.2, 0.2)] == code


@pytest.mark.parametrize(
    "other",
    [
        {"eps": 12},
        {"norm": "l2"},
        {"model": OTHER},
        {"model": Dense(NETWORK, PGD7)},
        {"total": 4, "correct": 0},
    ],
    ids=str,
)
def test_only_the_same_model_norm_and_eps_are_compared_on_the_same_images(other):
    settings = {"model": TICKET, "correct": 20, "method": "bandits"} | other
    found = flags(one(TICKET, "pgd20", 200), one(attack="bandits", **settings))
    assert found[("pgd20", 0.2, 0.2)] == ""


def test_a_transferred_attack_that_wins_flags_the_defenders_diagonal():
    found = flags(
        row(TICKET, {TICKET: 200, OTHER: 150}),
        row(OTHER, {TICKET: 220, OTHER: 190}),
        one(OTHER, "cw_inf", 190, method="cw_inf"),
    )
    assert found == {
        ("pgd20", 0.2, 0.2): "",
        ("pgd20", 0.2, 0.5): "",
        ("pgd20", 0.5, 0.2): "",
        ("pgd20", 0.5, 0.5): "transfer",
        ("cw_inf", 0.5, 0.5): "",  # another attack: not like with like
    }


def test_a_dense_is_the_source_of_a_transfer_and_not_the_tickets_own_attack():
    dense = Dense(NETWORK, None)
    found = flags(row(dense, {TICKET: 100, dense: 0}), one(TICKET, "pgd20", 200))
    frame = {str(k): v for k, v in found.items()}
    assert frame == {
        "('pgd20', nan, 0.2)": "",
        "('pgd20', nan, nan)": "",
        "('pgd20', 0.2, 0.2)": "transfer",
    }


def test_a_candidate_set_is_compared_as_a_whole():
    """Square fells one member more often and the other less: what counts is their mean."""
    members = CandidateSet(NETWORK, Origin.RST, (0.2, 0.5), Pattern.ELEMENT, PGD7)
    white = numbers(
        Evaluation(members, BEST, "apgd_logits", 8), {TICKET: 200, OTHER: 200}, method="apgd"
    )

    def square(first, second):
        cell = Evaluation(members, BEST, "square", 8)
        return numbers(cell, {TICKET: first, OTHER: second}, method="square")

    alone = one(TICKET, "pgd20", 300)
    frame = flagged(pd.DataFrame(white + square(150, 250) + alone, columns=COLUMNS))
    assert (frame["flags"] == "").all()
    frame = flagged(pd.DataFrame(white + square(150, 190) + alone, columns=COLUMNS))
    marked = frame[frame["flags"] == "black_box"]
    assert set(marked["attack"]) == {"apgd_logits"}
    assert set(marked["keep_ratio"]) == {0.2, 0.5}
    assert carried_flags(frame["flags"]) == "black_box"


def test_a_number_carries_the_flags_of_all_rows_that_it_is_made_of():
    flags = ["", "transfer;eps64", None, float("nan"), "b;zero_gradient;eps64;a"]
    assert carried_flags(flags) == "zero_gradient;eps64;transfer;a;b"
    assert carried_flags(flags[:1]) == carried_flags([]) == ""
    for code, sentence in FOOTNOTES.items():
        assert code.replace("_", "").isalnum()
        assert sentence.endswith(".")
        assert sentence.count(".") == 1
    empty = flagged(pd.DataFrame([], columns=COLUMNS))
    assert list(empty.columns) == COLUMNS


def test_an_attack_on_another_seeds_ticket_of_the_same_ratio_is_transferred():
    twin = replace(TICKET, network=replace(NETWORK, seed=1))
    parts = [
        one(twin, "pgd20", 200),
        row(TICKET, {TICKET: 200, twin: 150}, targets="other_seeds"),
    ]
    frame = flagged(pd.DataFrame(itertools.chain(*parts), columns=COLUMNS))
    own = (frame["measure"] == "robust") & (frame["kind"] == "Evaluation")
    assert frame.loc[own, "flags"].tolist() == ["transfer"]

"""The key of a cell is of everything that its result depends on, and of nothing else."""

from dataclasses import replace

import pytest

from rst_core.identity import Dense, FineTuned, parse_cell
from rst_core.key import bases_of, canonical, cell_key, cell_settings, same, sources_of
from rst_core.vocabulary import Origin, Start
from tests.conftest import DIGITS, NETWORK, PGD7, rst

INPUTS = {
    "path": "a/pgd20-eps8.json",
    "settings": {"attack": {"eps": 8, "steps": [1, 2]}},
    "dataset": "0" * 64,
    "bases": {"a/ticket.pt": "1" * 64, "a/weights.pt": None},
}


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("path", "b/pgd20-eps8.json"),
        ("settings", {"attack": {"eps": 8, "steps": [2, 1]}}),
        ("settings", {"attack": {"eps": True, "steps": [1, 2]}}),
        ("dataset", "2" * 64),
        ("bases", INPUTS["bases"] | {"a/ticket.pt": "3" * 64}),
        ("bases", INPUTS["bases"] | {"a/weights.pt": "1" * 64}),
        ("bases", {"b/ticket.pt": "1" * 64, "a/weights.pt": None}),
    ],
)
def test_any_other_input_gives_another_key(part, other):
    assert cell_key(**INPUTS | {part: other}) != cell_key(**INPUTS)


def test_numbers_and_sequences_are_the_same_however_they_are_written():
    assert cell_key(**INPUTS | {"settings": {"attack": {"steps": (1.0, 2), "eps": 8.0}}}) == (
        cell_key(**INPUTS)
    )
    assert canonical([(8.0, 0.5)]) == [[8, 0.5]]
    assert same({"a": (1, 2.0)}, {"a": [1.0, 2]})
    assert not same(1, True)


def test_where_the_images_lie_is_no_setting():
    assert cell_settings(DIGITS) == cell_settings(replace(DIGITS, path="elsewhere"))


def test_a_model_is_made_from_its_ticket_and_the_dense_below():
    ticket = replace(rst(0.2), origin=Origin.RTT_ADVERSARIAL)
    dense = Dense(NETWORK, PGD7)
    assert bases_of(ticket) == [dense]
    assert bases_of(FineTuned(ticket, Start.INHERITED)) == [ticket, dense]
    assert bases_of(rst(0.2)) == bases_of(dense) == []


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("r2s_rst-keep0.1+0.2-element-pgd7-eps8/best_val/eot_pgd20-eps8.json", 2),
        ("dense-natural/best_val/pgd20-eps8.json", 1),
        ("untrained/feature_distance.json", 0),
    ],
)
def test_a_cell_is_measured_on_all_members_of_its_set(name, count):
    assert len(sources_of(parse_cell(f"digits/narrow/kaiming_normal-seed0/{name}"))) == count

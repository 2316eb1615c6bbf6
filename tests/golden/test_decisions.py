"""Tickets' bits and attacks' outcomes are those of the record, up to a float's last bits."""

import json

import pytest

from tests.golden.decisions import EXPECTED, observe

#: Scores next to the threshold, and images next to the boundary, hang on rounding.
BITS_APART, IMAGES_APART, MOVES_APART = 4, 1, 2


def test_searches_and_attacks_decide_as_recorded():
    expected, found = json.loads(EXPECTED.read_text()), observe()
    assert found.keys() == expected.keys()
    wrong = {}
    for name, values in expected.items():
        allowed = BITS_APART if name.startswith("mask") else IMAGES_APART
        if name.endswith("moves"):
            allowed = MOVES_APART
            apart = sum(
                f != pytest.approx(e, rel=1e-2) for e, f in zip(values, found[name], strict=True)
            )
        else:
            apart = sum(e != f for e, f in zip(values, found[name], strict=True))
        if apart > allowed:
            wrong[name] = apart
    assert not wrong

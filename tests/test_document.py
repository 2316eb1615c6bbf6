"""Settings come back from JSON as they were, and nothing else becomes settings."""

import json
from dataclasses import asdict

import pytest

from rst_core.document import from_document
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod
from tests.attacks.attack_examples import EXAMPLES
from tests.conftest import BRIEF, DIGITS


@pytest.mark.parametrize("settings", [BRIEF, DIGITS, *EXAMPLES.values()])
def test_settings_come_back(settings):
    assert from_document(type(settings), json.loads(json.dumps(asdict(settings))), "") == settings


@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        (BRIEF, {"rate": 1}, "^a.rate is no setting; allowed is one of epochs, "),
        (BRIEF, {"epochs": True}, "^a.epochs is True; allowed is a whole number"),
        (BRIEF, {"epochs": 1.0}, "^a.epochs is 1.0; allowed is a whole number"),
        (BRIEF, {"lr": float("nan")}, "^a.lr is nan; allowed is a finite number"),
        (BRIEF, {"decay_epochs": 3}, "^a.decay_epochs is 3; allowed is a list of any"),
        (BRIEF, {"schedule": "linear"}, "allowed is one of step, cosine"),
        (DIGITS, {"mean": [0.5, 0.5]}, r"^a.mean is .*; allowed is a list of 3"),
        (DIGITS, {"flip": 1}, "^a.flip is 1; allowed is true or false"),
        (EXAMPLES[AttackMethod.PGD], {"name": None}, "^a.name is None; allowed is text"),
    ],
)
def test_a_value_of_another_type_is_named(settings, change, message):
    with pytest.raises(ValueError, match=message):
        from_document(type(settings), asdict(settings) | change, "a")


def test_what_has_no_default_must_be_there():
    with pytest.raises(ValueError, match=r"^method is missing"):
        from_document(AttackSpec, {"name": "pgd"}, "")
    with pytest.raises(ValueError, match=r"^a is 5; allowed is an object of settings"):
        from_document(AttackSpec, 5, "a")

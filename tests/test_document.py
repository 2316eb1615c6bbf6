"""Settings come back from JSON as they were, and nothing else becomes settings."""

import json
from dataclasses import asdict

import pytest

from rst_core.document import from_document
from rst_core.settings import AttackSpec, DatasetSettings, TrainingSettings
from rst_core.vocabulary import AttackMethod
from tests.attacks.attack_examples import EXAMPLES
from tests.conftest import BRIEF, DIGITS


@pytest.mark.parametrize("settings", [BRIEF, DIGITS, *EXAMPLES.values()])
def test_settings_come_back(settings):
    assert from_document(type(settings), json.loads(json.dumps(asdict(settings))), "") == settings


@pytest.mark.parametrize(
    ("kind", "change", "message"),
    [
        (TrainingSettings, {"rate": 1}, "^a.rate is no setting; allowed is one of epochs, "),
        (TrainingSettings, {"epochs": True}, "^a.epochs is True; allowed is a whole number"),
        (TrainingSettings, {"epochs": 1.0}, "^a.epochs is 1.0; allowed is a whole number"),
        (TrainingSettings, {"lr": float("nan")}, "^a.lr is nan; allowed is a finite number"),
        (TrainingSettings, {"decay_epochs": 3}, "^a.decay_epochs is 3; allowed is a list of any"),
        (TrainingSettings, {"schedule": "linear"}, "allowed is one of step, cosine"),
        (DatasetSettings, {"mean": [0.5, 0.5]}, r"^a.mean is .*; allowed is a list of 3"),
        (DatasetSettings, {"flip": 1}, "^a.flip is 1; allowed is a true or false"),
        (AttackSpec, {"name": None}, "^a.name is None; allowed is a text"),
    ],
)
def test_a_value_of_another_type_is_named(kind, change, message):
    (whole,) = (s for s in (DIGITS, EXAMPLES[AttackMethod.PGD], BRIEF) if isinstance(s, kind))
    with pytest.raises(ValueError, match=message):
        from_document(kind, asdict(whole) | change, "a")


def test_what_has_no_default_must_be_there():
    with pytest.raises(ValueError, match=r"^method is missing"):
        from_document(AttackSpec, {"name": "pgd"}, "")
    with pytest.raises(ValueError, match=r"^a is 5; allowed is an object of settings"):
        from_document(AttackSpec, 5, "a")

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rst_core.flags import add_flags, from_flags, to_flags
from rst_core.settings import (
    AttackSpec,
    DatasetSettings,
    NetworkSettings,
    TrainingSettings,
    learning_rate,
    training_attack,
    validation_attack,
)
from rst_core.vocabulary import AttackMethod, Norm, Schedule, SearchMethod
from tests.conftest import BRIEF, DIGITS, NARROW


def test_the_papers_step_schedule():
    rates = [learning_rate(TrainingSettings(), e) for e in range(160)]
    assert rates[:80] == [0.1] * 80
    assert rates[80:120] == pytest.approx([0.01] * 40)
    assert rates[120:] == pytest.approx([0.001] * 40)


def test_cosine_falls_from_the_initial_rate_to_almost_zero_after_its_warm_up():
    settings = TrainingSettings(
        epochs=100, lr=0.256, schedule=Schedule.COSINE, decay_epochs=(), warmup_epochs=5
    )
    rates = [learning_rate(settings, e) for e in range(100)]
    assert rates[0] == pytest.approx(0.256 / 5)
    assert rates[5] == 0.256
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert 0 < rates[-1] < 0.001


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 1}, "batch_size"),
        ({"lr": -1.0}, "lr"),
        ({"decay_epochs": (120, 80)}, "decay_epochs"),
        ({"decay_epochs": (200,)}, "decay_epochs"),
        ({"warmup_epochs": 160}, "warmup_epochs"),
        ({"validation_steps": 0}, "validation_steps"),
    ],
)
def test_a_bad_training_setting_names_key_value_and_what_is_allowed(change, key):
    with pytest.raises(ValueError, match=rf"^{key} is .*; allowed is "):
        TrainingSettings(**change)


@pytest.mark.parametrize(
    "change", [{"classes": 1}, {"image_size": 2}, {"validation_images": 0}, {"std": (1, 0, 1)}]
)
def test_a_bad_dataset_setting_is_refused(change):
    with pytest.raises(ValueError, match="allowed is"):
        dataclasses.replace(DIGITS, **change)


def test_search_methods_are_the_papers():
    pgd7 = training_attack(SearchMethod.PGD7, 8)
    assert (pgd7.steps, pgd7.step_size, pgd7.random_start) == (7, 2, True)
    fgsm = training_attack(SearchMethod.FGSM, 8)
    assert (fgsm.steps, fgsm.step_size, fgsm.random_start) == (1, 8, False)
    fgsm_rs = training_attack(SearchMethod.FGSM_RS, 4)
    assert (fgsm_rs.steps, fgsm_rs.step_size, fgsm_rs.random_start) == (1, 5, True)
    assert not any(training_attack(m, 8).stop_at_success for m in SearchMethod)
    assert validation_attack(8, 20).step_size == 2


attacks = st.builds(
    AttackSpec,
    name=st.sampled_from(["pgd20", "x"]),
    method=st.sampled_from(AttackMethod),
    norm=st.sampled_from(Norm),
    eps=st.floats(0, 64, allow_nan=False),
    steps=st.integers(1, 100),
    step_size=st.floats(0, 10, allow_nan=False),
    random_start=st.booleans(),
    restarts=st.integers(1, 5),
    stop_at_success=st.booleans(),
    seed=st.integers(0, 2**31),
)


@given(attacks)
def test_flags_give_back_the_very_settings(spec):
    assert parse(AttackSpec, to_flags(spec)) == spec


@pytest.mark.parametrize("settings", [DIGITS, NARROW, BRIEF, TrainingSettings()])
def test_flags_give_back_all_kinds_of_settings(settings):
    assert parse(type(settings), to_flags(settings)) == settings


def parse(kind: type, words: list[str]):
    import argparse

    parser = argparse.ArgumentParser()
    add_flags(parser, kind, "settings")
    return from_flags(kind, vars(parser.parse_args(words)))


def test_every_setting_explains_itself():
    for kind in (DatasetSettings, NetworkSettings, AttackSpec, TrainingSettings):
        for field in dataclasses.fields(kind):
            assert field.metadata["help"], f"{kind.__name__}.{field.name}"

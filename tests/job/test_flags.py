"""Settings on the command line come back as they were."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rst_core.forms import types_of
from rst_core.job.cli import main
from rst_core.job.flags import add_settings, settings_of
from rst_core.settings import AttackSpec, TrainingSettings
from rst_core.vocabulary import AttackMethod
from tests.conftest import BRIEF, DIGITS, NARROW
from tests.job.flags import to_flags

TYPES, FIELDS = types_of(AttackSpec), AttackSpec.__dataclass_fields__


def values(parameter: str) -> st.SearchStrategy[Any]:
    """Values of a parameter within its range; 0 is no step."""
    kind, within = TYPES[parameter], FIELDS[parameter].metadata["range"]
    if kind is bool:
        return st.booleans()
    if within is None:
        return st.sampled_from(kind)
    low, high = max(within.low, 1e-6 if kind is float else 1), min(within.high, 200)
    return st.floats(low, high) if kind is float else st.integers(int(low), int(high))


def specs_of(method: AttackMethod) -> st.SearchStrategy[AttackSpec]:

    def build(**settings) -> AttackSpec:
        # Restarts without a random start would be alike, and are refused.
        alike = not settings.get("random_start", True)
        return AttackSpec(**settings | ({"restarts": 1} if alike else {}))

    return st.builds(
        build,
        name=st.sampled_from(["pgd20", "x"]),
        method=st.just(method),
        norm=st.sampled_from(method.norms),
        eps=st.just(0.0) | st.floats(1e-6, 64) if method.has_eps else st.none(),
        seed=st.integers(0, 2**31),
        images=st.none() | st.integers(1, 1000),
        **{key: values(key) for key in sorted(method.parameters)},
    )


attacks = st.sampled_from(AttackMethod).flatmap(specs_of)


@given(attacks)
def test_flags_give_back_the_very_settings(spec):
    assert parse(AttackSpec, to_flags(spec)) == spec


@pytest.mark.parametrize("settings", [DIGITS, NARROW, BRIEF, TrainingSettings()])
def test_flags_give_back_all_kinds_of_settings(settings):
    assert parse(type(settings), to_flags(settings)) == settings


def parse(kind: type, words: list[str]):
    import argparse

    parser = argparse.ArgumentParser()
    add_settings(parser, {"settings": kind})
    found = settings_of(parser.parse_args(words), {"settings": kind})["settings"]
    return found


def test_pgd_without_a_step_is_refused_at_the_command_line(results, capsys):
    cell = "cells/digits/narrow/signed_kaiming_constant-seed0/dense-natural/best_val/pgd-eps8.json"
    attack = ["--name", "pgd", "--method", "pgd", "--norm", "linf", "--eps", "8"]
    assert main(["attack", cell, "--data", "data.json", *attack]) == 1
    assert (
        "step_size is 0.0; allowed is a positive number from 1e-06: pgd needs it"
        in capsys.readouterr().err
    )

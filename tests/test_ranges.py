"""Every number of the settings has a range, which holds what lies in it."""

import dataclasses
import math

from hypothesis import given
from hypothesis import strategies as st

from rst_core.settings import AttackSpec, DatasetSettings, NetworkSettings, TrainingSettings

KINDS = (DatasetSettings, NetworkSettings, AttackSpec, TrainingSettings)


def test_every_setting_explains_itself_and_every_number_has_a_finite_range():
    for kind in KINDS:
        for field in dataclasses.fields(kind):
            name = f"{kind.__name__}.{field.name}"
            assert field.metadata["description"], name
            numeric = "int" in field.type or "float" in field.type
            assert (field.metadata["range"] is not None) == numeric, name
            if numeric:
                within = field.metadata["range"]
                assert -math.inf < within.low < within.high < math.inf, name


RANGES = [f.metadata["range"] for k in KINDS for f in dataclasses.fields(k) if f.metadata["range"]]


@given(st.sampled_from(RANGES), st.floats() | st.integers())
def test_a_range_holds_no_number_beyond_its_ends(within, value):
    ends = [within.low] * within.above + [within.high] * within.below
    assert (value in within) == (within.low <= value <= within.high and value not in ends)
    assert math.nan not in within

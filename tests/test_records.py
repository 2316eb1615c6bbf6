"""Cell files: what an attack found is in them, packed, and damage is noticed."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rst_core.identity import Dense, Evaluation
from rst_core.job.paths import checkpoint_path
from rst_core.records import pack_counts, pack_outcomes, unpack_counts, unpack_outcomes
from rst_core.settings import AttackSpec
from rst_core.training.trainee import WeightTrainee
from rst_core.vocabulary import AttackMethod, Selection
from tests.attacks.attack_examples import EXAMPLES
from tests.conftest import NETWORK, attack_cell, narrow_classifier, save_trainee


@pytest.fixture
def dense(tmp_path):
    """A stored dense, and the folder of all cells."""
    root = tmp_path / "cells"
    model = Dense(NETWORK, None)
    save_trainee(root, model, WeightTrainee(narrow_classifier()))
    return root, model


@pytest.mark.parametrize("method", [AttackMethod.CW_L2, AttackMethod.BANDITS])
def test_the_cell_of_an_attack_keeps_what_it_found(dense, method):
    root, model = dense
    spec = AttackSpec(**{**vars(EXAMPLES[method]), "images": 30})
    cell = Evaluation(model, Selection.BEST_VAL, spec.name, spec.eps)
    attack_cell(root, cell, spec, 20)
    record = json.loads((root / cell.path).read_text())
    assert (root / cell.path).name == {"cw_l2": "cw_l2.json", "bandits": "bandits-eps4.json"}[
        method
    ]
    for measure in ("natural", "robust"):
        assert record["results"][0][measure]["total"] == 30
    assert record["settings"]["attack"]["method"] == method
    assert record["settings"]["attack"]["images"] == 30
    if method is AttackMethod.BANDITS:
        counts = unpack_counts(record["queries"])
        assert len(counts) == 30
        assert counts.max() <= 2 * spec.steps
    else:
        assert "queries" not in record
    assert not checkpoint_path(root, cell).exists()


def test_packed_counts_come_back_and_damage_is_noticed():
    counts = np.array([0, 10_000, 2], dtype=np.int64)
    packed = pack_counts(counts)
    assert (unpack_counts(packed) == counts).all()
    with pytest.raises(ValueError, match="counts add up to 10002"):
        unpack_counts({**packed, "sum": 1})


@given(hnp.arrays(bool, st.integers(1, 100)))
def test_outcomes_survive_packing(outcomes):
    packed = pack_outcomes(outcomes)
    assert np.array_equal(unpack_outcomes(packed), outcomes)
    assert (packed["correct"], packed["total"]) == (outcomes.sum(), len(outcomes))
    with pytest.raises(ValueError, match="the count says"):
        unpack_outcomes({**packed, "correct": packed["correct"] + 1})

"""Cell files: what an attack found is in them, packed, and damage is noticed."""

import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rst_core.identity import (
    CandidateSet,
    Dense,
    Evaluation,
    FeatureDistance,
    TrainingCell,
    TransferRow,
    Untrained,
)
from rst_core.job.cells import make
from rst_core.job.paths import checkpoint_path
from rst_core.job.recipe import FeaturesRecipe
from rst_core.records import pack_counts, pack_outcomes, read_cell, unpack_counts, unpack_outcomes
from rst_core.settings import AttackSpec
from rst_core.storage import DamagedFileError, write_json
from rst_core.training.trainee import WeightTrainee
from rst_core.vocabulary import AttackMethod, Origin, Pattern, Selection
from tests.attacks.attack_examples import EXAMPLES
from tests.conftest import (
    NARROW,
    NETWORK,
    PGD7,
    attack_cell,
    manifest,
    narrow_classifier,
    save_trainee,
    unsearched,
)


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


SET = CandidateSet(NETWORK, Origin.RST, (0.1, 0.6), Pattern.ELEMENT, PGD7)
PGD = replace(EXAMPLES[AttackMethod.PGD], images=20)
EOT = replace(EXAMPLES[AttackMethod.EOT], images=20)
CELLS = {
    "set": Evaluation(SET, Selection.BEST_VAL, EOT.name, EOT.eps),
    "row": TransferRow(SET.tickets[0], Selection.BEST_VAL, "tickets", PGD.name, PGD.eps),
    "features": FeatureDistance(Untrained(NETWORK), None),
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The folder of all cells, with one of each kind."""
    root = tmp_path_factory.mktemp("results") / "cells"
    for ticket in SET.tickets:
        save_trainee(root, ticket, unsearched(ticket))
    targets = [TrainingCell(ticket, Selection.BEST_VAL) for ticket in SET.tickets]
    attack_cell(root, CELLS["set"], EOT, 20)
    attack_cell(root, CELLS["row"], PGD, 20, targets)
    make(FeaturesRecipe(root, manifest(), CELLS["features"], NARROW, (4.0, 8.0)))
    return root


def with_a_bit_behind_the_last(packed):
    """Of 20 images, the last of 24 bits."""
    data = bytearray(base64.b64decode(packed["outcomes"]))
    data[-1] |= 1
    packed["outcomes"] = base64.b64encode(data).decode()
    packed["correct"] += 1


def of_last(record):
    for part in ("models", "keys"):
        record[part] = {n.replace("best_val", "last"): v for n, v in record[part].items()}


@pytest.mark.parametrize(
    ("cell", "edit", "message"),
    [
        ("row", lambda r: with_a_bit_behind_the_last(r["results"][0]["robust"]), "not of 20 image"),
        ("row", lambda r: r["settings"]["attack"].update(images=10), "20 attacked images do not"),
        ("row", lambda r: r["settings"]["attack"].update(eps=12.0), "describe another attack"),
        ("row", lambda r: r["settings"].update(batch_size=7), "its key does not match its record"),
        ("row", lambda r: r.update(dataset_digest="0" * 64), "its key does not match its recorded"),
        ("row", of_last, "its models have another selection"),
        ("row", lambda r: r["results"].append(r["results"][0]), "it lists a model twice"),
        ("row", lambda r: r["results"].pop(), "do not match its sources and results"),
        ("set", lambda r: r["results"].reverse(), "its results belong to other models"),
        ("set", lambda r: r.update(axes=r["axes"] | {"seed": 3}), "its axes do not match its name"),
        ("features", lambda r: r["results"][0].update(eps=5.0), "its noise magnitudes do not"),
        ("features", lambda r: r["images"].update(test_set=361), "a part of the test set"),
    ],
)
def test_what_cannot_be_is_damage_whatever_the_checksum_says(root, tmp_path, cell, edit, message):
    path = root / CELLS[cell].path
    record = read_cell(path)
    edit(record)
    changed = tmp_path / "cells" / CELLS[cell].path
    write_json(changed, record)
    with pytest.raises(DamagedFileError, match=message):
        read_cell(changed)


def test_a_cell_is_not_read_under_the_name_of_another(root, tmp_path):
    other = tmp_path / "cells" / CELLS["row"].path.replace("eps4", "eps8")
    other.parent.mkdir(parents=True)
    other.write_bytes((root / CELLS["row"].path).read_bytes())
    with pytest.raises(DamagedFileError, match="it holds digits/"):
        read_cell(other)

"""What a cell's file says of its models, and which checkpoint its job continues."""

import dataclasses
import json

import pytest

from rst_core.identity import Evaluation
from rst_core.job.cells import _checkpoint, _Job
from rst_core.job.preemption import Preemption
from rst_core.job.recipe import AttackRecipe
from rst_core.models.masks import kept_count
from rst_core.models.networks import prunable_weights
from rst_core.vocabulary import AttackMethod, Selection
from tests.attacks.attack_examples import EXAMPLES
from tests.conftest import attack_cell, manifest, narrow_classifier, rst, save_trainee, unsearched

TICKET = rst(0.3)
SPEC = dataclasses.replace(EXAMPLES[AttackMethod.PGD], images=20)
CELL = Evaluation(TICKET, Selection.BEST_VAL, SPEC.name, SPEC.eps)


@pytest.fixture
def root(tmp_path):
    """A folder of cells with a ticket that was never searched."""
    save_trainee(tmp_path, TICKET, unsearched(TICKET))
    return tmp_path


def test_a_cell_counts_the_weights_that_the_mask_keeps(root):
    attack_cell(root, CELL, SPEC, 10)
    (result,) = json.loads((root / CELL.path).read_text())["results"]
    sizes = [weight.numel() for weight in prunable_weights(narrow_classifier()).values()]
    assert result["parameters"] == sum(sizes)
    assert result["parameters_kept"] == sum(kept_count(size, 0.3) for size in sizes)


def test_a_checkpoint_of_other_images_or_of_another_model_is_not_continued(root):
    def key(data):
        recipe = AttackRecipe(root, data, CELL, SPEC, 10)
        return _checkpoint(_Job(0, Preemption()), recipe).key

    first = key(manifest())
    assert key(manifest()) == first
    assert key(dataclasses.replace(manifest(), digest="0" * 64)) != first
    save_trainee(root, TICKET, unsearched(TICKET, seed=1))
    assert key(manifest()) != first

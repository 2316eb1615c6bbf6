"""Short training runs on digits: what they train, and what is read of them."""

import dataclasses

import torch

from rst_core.settings import training_attack
from rst_core.training.loop import Run
from rst_core.training.trainee import MaskTrainee, WeightTrainee
from rst_core.vocabulary import Pattern, SearchMethod, Selection
from tests.checkpoints import InMemory
from tests.conftest import BRIEF, DIGITS, narrow_classifier

PGD7 = training_attack(SearchMethod.PGD7, 8)
RUN = Run(
    identity="digits/narrow/test",
    attack=PGD7,
    settings=BRIEF,
    dataset=DIGITS,
    selections=(Selection.BEST_VAL, Selection.LAST),
    seed=0,
)
NATURAL = dataclasses.replace(RUN, attack=None)


def search(keep_ratio: float = 0.3) -> MaskTrainee:
    return MaskTrainee(narrow_classifier(), keep_ratio, Pattern.ELEMENT, 0)


def dense() -> WeightTrainee:
    return WeightTrainee(narrow_classifier())


def finetune() -> WeightTrainee:
    masks = search().masks()
    return WeightTrainee(narrow_classifier(), masks)


class Remembering(InMemory):
    """Keeps what a trainee's model held at every epoch's end."""

    def __init__(self, trainee: WeightTrainee) -> None:
        super().__init__()
        self.trainee, self.kept = trainee, []

    def maybe_save(self, progress, state, *, due=False):
        super().maybe_save(progress, state, due=due)
        if due:
            self.kept.append(self.trainee.contents())


def assert_equal(one, other):
    """Nested contents of two model files are the same to the bit."""
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_equal(one[key], other[key])
    else:
        assert one == other


def metrics(checkpoints: InMemory) -> list[dict]:
    """The lines of a finished run, but for their times."""
    lines = checkpoints.saved["state"]["metrics"]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]

"""Numbers that are not finite end a training, and are never saved."""

from __future__ import annotations

import pytest
import torch

from rst_core.divergence import DivergedError, check_training
from rst_core.training.loop import train
from tests.checkpoints import InMemory
from tests.training.runs import RUN, dense, search


@pytest.mark.parametrize("trainee", [search, dense])
@pytest.mark.parametrize("what", ["variable", "statistics"])
def test_a_number_that_is_not_finite_is_never_saved(few_digits, trainee, what):
    made = trainee()

    class Breaking(InMemory):
        def maybe_save(self, progress, state, *, due=False):
            super().maybe_save(progress, state, due=due)
            tensors = made.variables.values() if what == "variable" else made.model.buffers()
            size = 4 if what == "variable" else 1
            if due:
                with torch.no_grad():
                    next(t for t in tensors if t.dim() == size).fill_(torch.inf)

    checkpoints = Breaking()
    with pytest.raises(DivergedError, match=r"epoch 2, at learning rate 0\.1"):
        train(made, few_digits, RUN, checkpoints)
    assert len(checkpoints.saved["state"]["metrics"]) == 1


def test_the_first_bad_step_is_named():
    losses = torch.tensor([1.0, 2.0, torch.nan, torch.inf])
    with pytest.raises(DivergedError, match="the loss is not finite at step 3 of epoch 7"):
        check_training(losses, [torch.ones(1)], 7, 0.1, "model")
    check_training(losses[:2], [torch.ones(1)], 7, 0.1, "model")

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rst_core.optimiser import Sgd
from tests.conftest import ROOT

SHAPES = ((4, 3), (5,), (2, 3, 3))
STEPS = 5


def variables() -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=rng).requires_grad_(True) for shape in SHAPES]


def give_gradients(of, step, *, skip=()):
    """Seeded gradients; a variable that is skipped has none in this step."""
    rng = torch.Generator().manual_seed(step)
    for index, variable in enumerate(of):
        gradient = torch.randn(variable.shape, generator=rng)
        variable.grad = None if index in skip else gradient


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@given(
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    weight_decay=st.sampled_from([0.0, 5e-4]),
    rates=st.lists(st.floats(1e-4, 1.0), min_size=STEPS, max_size=STEPS),
    skipped=st.lists(st.sets(st.integers(0, 2)), min_size=STEPS, max_size=STEPS),
)
@settings(max_examples=30, deadline=None)
def test_every_step_is_torchs_to_the_bit(momentum, weight_decay, rates, skipped):
    ours, torchs = variables(), variables()
    optimiser = Sgd(ours, lr=1.0, momentum=momentum, weight_decay=weight_decay)
    reference = torch.optim.SGD(torchs, lr=1.0, momentum=momentum, weight_decay=weight_decay)
    for step, (rate, skip) in enumerate(zip(rates, skipped, strict=True)):
        optimiser.lr = reference.param_groups[0]["lr"] = rate
        give_gradients(ours, step, skip=skip)
        give_gradients(torchs, step, skip=skip)
        optimiser.step()
        reference.step()
        assert same(ours, torchs)


@pytest.mark.parametrize("stop", [0, 1, 3])
def test_a_restored_state_goes_on_as_if_never_stopped(stop):
    whole, parts = variables(), variables()
    optimiser = Sgd(whole, lr=0.1, momentum=0.9)
    for step in range(STEPS):
        give_gradients(whole, step)
        optimiser.step()

    first = Sgd(parts, lr=0.1, momentum=0.9)
    for step in range(stop):
        give_gradients(parts, step)
        first.step()
    saved = first.state_dict()
    second = Sgd(parts, lr=0.1, momentum=0.9)
    second.load_state_dict(saved)
    for step in range(stop, STEPS):
        give_gradients(parts, step)
        second.step()
    assert same(whole, parts)


def test_a_restored_state_does_not_share_memory_with_what_was_saved():
    own = variables()
    optimiser = Sgd(own, lr=0.1, momentum=0.9)
    give_gradients(own, 0)
    optimiser.step()
    saved = {"directions": [d.clone() for d in optimiser.state_dict()["directions"]]}
    kept = [direction.clone() for direction in saved["directions"]]
    optimiser.load_state_dict(saved)
    give_gradients(own, 1)
    optimiser.step()
    assert same(kept, saved["directions"])


def test_a_state_of_other_variables_is_refused():
    state = Sgd(variables()[:2], lr=0.1).state_dict()
    with pytest.raises(ValueError, match="zip"):
        Sgd(variables(), lr=0.1).load_state_dict(state)


def test_zero_grad_leaves_nothing_to_step_on():
    own, before = variables(), variables()
    give_gradients(own, 0)
    optimiser = Sgd(own, lr=0.1)
    optimiser.zero_grad()
    optimiser.step()
    assert same(own, before)


def test_training_does_not_load_torchs_compiler():
    """It would cost every job seconds; the reason for not using torch.optim.SGD."""
    script = (
        "import sys, torch\n"
        "from tests.test_training import PGD7, search, step\n"
        "from rst_core.optimiser import Sgd\n"
        "trainee = search()\n"
        "rng, overrun = torch.Generator(), torch.tensor(-1.0)\n"
        "images, labels = torch.rand(4, 3, 16, 16), torch.arange(4)\n"
        "optimiser = Sgd(trainee.variables.values(), lr=0.1)\n"
        "step(trainee, optimiser, images, labels, PGD7, rng, overrun)\n"
        "assert 'torch._dynamo' not in sys.modules"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert found.returncode == 0, found.stderr

"""A step of every kind of training: no operand left behind, nobody waits, the CPU's numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch.utils._pytree import tree_leaves

from rst_core.device.arithmetic import in_force, training_step
from rst_core.device.seeding import generator
from rst_core.models.networks import prunable_weights, to_device
from rst_core.settings import training_attack
from rst_core.training import loop as training
from rst_core.training.loop import Run, step, train
from rst_core.training.trainee import MaskTrainee, WeightTrainee
from rst_core.vocabulary import Pattern, Precision, SearchMethod, Selection
from tests.checkpoints import InMemory, Interrupted
from tests.conftest import BRIEF, DIGITS, narrow_classifier
from tests.pretend_gpu import device as pretend
from tests.pretend_gpu.conftest import CPU, check_formats

KINDS = ("search", "search by channel", "dense", "finetune")


def trainee(kind: str, device: torch.device, precision: Precision = Precision.FLOAT32):
    model = to_device(narrow_classifier(), device, precision)
    if kind == "dense":
        return WeightTrainee(model)
    if kind == "finetune":
        rng = generator("masks")
        masks = {
            n: torch.rand(w.shape, generator=rng) < 0.4 for n, w in prunable_weights(model).items()
        }
        return WeightTrainee(model, masks)
    pattern = Pattern.CHANNEL if "channel" in kind else Pattern.ELEMENT
    return MaskTrainee(model, 0.3, pattern, seed=0)


def steps(kind: str, device: torch.device, method: SearchMethod | None, precision: Precision):
    """Two steps, the second with momentum: the variables, and what the host waited for."""
    trained = trainee(kind, device, precision)
    optimiser = torch.optim.SGD(
        list(trained.variables.values()), lr=0.1, momentum=0.9, weight_decay=5e-4
    )
    attack = training_attack(method, 8.0) if method else None
    rng = generator("images")
    images = torch.rand(8, 3, 8, 8, generator=rng).contiguous(memory_format=torch.channels_last)
    labels = torch.randint(10, (8,), generator=rng).to(device)
    images, overrun = images.to(device), torch.full((), -1.0, device=device)
    starts = generator("starts", device=device)
    trained.model.train()
    pretend.waits.clear()
    for _ in range(2):
        with training_step(precision, device):
            assert device == CPU or in_force(images) == precision
            step(trained, optimiser, images, labels, attack, starts, overrun)
    waited = list(pretend.waits)
    return {n: v.detach().cpu() for n, v in trained.variables.items()}, waited


@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize("method", [*SearchMethod, None])
@pytest.mark.parametrize("kind", KINDS)
def test_no_step_waits_and_all_have_the_cpus_numbers(gpu, one_format, kind, method, precision):
    found, waited = steps(kind, gpu, method, precision)
    assert waited == []
    expected, _ = steps(kind, CPU, method, precision)
    for name, value in found.items():
        assert torch.equal(value, expected[name]), name


def brief_run(name: str, batch_size: int, **changed: object) -> Run:
    brief = {"epochs": 2, "decay_epochs": (1,), "batch_size": batch_size}
    settings = dataclasses.replace(BRIEF, **brief | changed)
    return Run(
        identity=name,
        attack=training_attack(SearchMethod.PGD7, 8.0),
        settings=settings,
        dataset=DIGITS,
        selections=(Selection.BEST_VAL, Selection.LAST),
        seed=0,
    )


def same(ours: object, theirs: object) -> bool:
    """Tensor by tensor, whatever holds them."""
    pairs = zip(tree_leaves(ours), tree_leaves(theirs), strict=True)
    return all(
        torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
        for one, other in pairs
    )


@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize("kind", KINDS)
def test_images_and_weights_have_the_format_that_is_fast(gpu, few_digits, kind, precision):
    """Steps in the run's precision, measurements in float32."""
    run = brief_run("run", 48, precision=precision, epochs=1, decay_epochs=())
    train(trainee(kind, gpu, precision), few_digits.to(gpu), run)
    check_formats()
    half = torch.bfloat16 if precision is Precision.BFLOAT16 else torch.float32
    found = {(one.dtype, one.tf32) for one in pretend.convolutions}
    assert found == {(torch.float32, False), (half, precision is Precision.TF32)}


def test_cudnn_tries_its_algorithms_in_steps_only(gpu, few_digits, monkeypatch):
    """Where batches shrink it would try them again for every size."""
    tried: dict[str, set[bool]] = {"steps": set(), "elsewhere": set()}

    def noting(where: str, call: Callable) -> Callable:
        def noted(*arguments):
            tried[where].add(torch.backends.cudnn.benchmark)
            return call(*arguments)

        return noted

    monkeypatch.setattr(training, "step", noting("steps", training.step))
    monkeypatch.setattr(training, "_measure", noting("elsewhere", training._measure))
    train(trainee("search", gpu), few_digits.to(gpu), brief_run("run", 48))
    assert tried == {"steps": {True}, "elsewhere": {False}}


def test_a_run_ends_as_on_the_cpu(gpu, one_format, few_digits):
    kept = [
        train(trainee("search", device), few_digits.to(device), brief_run(name, 32))
        for name, device in (("gpu", gpu), ("cpu", CPU))
    ]
    assert same(*kept)


def test_an_epoch_waits_as_often_as_one_of_more_steps(gpu, few_digits, monkeypatch):
    monkeypatch.setattr(
        "rst_core.training.loop._measure",
        lambda *of: {"validation_natural": 1, "validation_robust": 1},
    )
    waited = []
    for size in (48, 16):
        pretend.waits.clear()
        train(trainee("search", gpu), few_digits.to(gpu), brief_run(str(size), size))
        waited.append(list(pretend.waits))
    assert waited[0] == waited[1] != []


def test_a_run_continues_on_the_device(gpu, few_digits):
    """From a checkpoint that one on the device wrote: momentum, scores, statistics, generators."""
    whole = train(trainee("search", gpu), few_digits.to(gpu), brief_run("whole", 32))
    run = brief_run("parts", 32)
    interrupted = InMemory(3)
    with pytest.raises(Interrupted):
        train(trainee("search", gpu), few_digits.to(gpu), run, interrupted)
    again = InMemory(saved=interrupted.saved)
    continued = train(trainee("search", gpu), few_digits.to(gpu), run, again)
    assert same(continued, whole)

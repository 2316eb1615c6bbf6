"""What every attack promises, for every method.

The module takes 10 s on an idle core, Auto-Attack's two versions half of it.
"""

import dataclasses

import pytest
import torch

from rst_core.attacks import function_of, run_attack
from rst_core.vocabulary import AttackMethod, Combination
from tests.attacks.attack_examples import EXAMPLES, rng
from tests.attacks.tiny import attacked

#: These take seconds each time.
SLOW = (AttackMethod.AUTO_ATTACK, AttackMethod.AUTO_ATTACK_RAND)


def test_every_method_has_an_attack_and_an_example():
    assert set(AttackMethod) == set(EXAMPLES)
    assert all(map(callable, map(function_of, AttackMethod)))


@pytest.mark.parametrize("method", AttackMethod)
def test_budget_determinism_and_models_left_as_they_were_found(method):
    view, models, images, labels = attacked(method)
    parameters = dict(models.named_parameters())
    for parameter in parameters.values():
        parameter.grad = torch.ones_like(parameter)
    before = {n: v.clone() for n, v in models.state_dict().items()}
    spec, clean = EXAMPLES[method], images.clone()
    torch.manual_seed(5)
    state = torch.get_rng_state()

    adversarial = run_attack(view, images, labels, spec, rng(3))

    assert torch.equal(torch.get_rng_state(), state), "the global generator is not an attack's"
    assert adversarial.shape == images.shape
    assert not adversarial.requires_grad
    assert adversarial.min() >= 0
    assert adversarial.max() <= 1
    if spec.eps is not None:
        assert (adversarial - images).abs().max() <= spec.eps / 255 + 1e-6
    assert torch.equal(images, clean)
    assert images.grad is None
    assert not any(module.training for module in models)
    for name, value in models.state_dict().items():
        assert torch.equal(value, before[name]), name
    for name, parameter in parameters.items():
        assert parameter.requires_grad
        assert torch.equal(parameter.grad, torch.ones_like(parameter)), name
    with torch.no_grad():
        found, began = (
            (view(x).argmax(-1) == labels).reshape(-1, len(x)).sum(0) for x in (adversarial, images)
        )
    if not method.on_sets:
        assert not found[:2].any(), "what was misclassified stays misclassified"
    elif method not in (AttackMethod.EOT, AttackMethod.ENSEMBLE):
        assert (found <= began).all(), "the best of all images is kept, the clean one too"
    if method not in SLOW:
        assert torch.equal(adversarial, run_attack(view, images, labels, spec, rng(3)))
    if method not in (*SLOW, AttackMethod.CW_L2):
        assert not torch.equal(adversarial, run_attack(view, images, labels, spec, rng(4)))
    assert run_attack(view, images[:0], labels[:0], spec, rng()).shape == (0, 3, 8, 8)


#: What says which attack it is and on how many images, and what the caller draws from.
NO_SETTINGS = {"name", "method", "norm", "seed", "images"}


@pytest.mark.parametrize(
    ("method", "setting"),
    [
        (method, setting)
        for method, spec in EXAMPLES.items()
        if method not in SLOW
        for setting, value in spec.described().items()
        if setting not in NO_SETTINGS and value is not None
    ],
)
def test_another_value_of_any_setting_gives_other_images(method, setting):
    spec = EXAMPLES[method]
    if method is AttackMethod.APGD:  # which has the best of these images in fewer steps
        spec = dataclasses.replace(spec, steps=4)
    match getattr(spec, setting):
        case bool(value):
            other = not value
        case Combination():
            other = Combination.WORST
        case int(value):
            other = value // 2 or 2
        case value:
            other = value / 2
    view, _, images, labels = attacked(method)
    changed = dataclasses.replace(spec, **{setting: other})
    one, two = (run_attack(view, images, labels, s, rng()) for s in (spec, changed))
    assert not torch.equal(one, two)

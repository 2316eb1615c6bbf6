"""CW-Inf, CW-L2 and Auto-Attack: thin adapters to their reference implementations [5.5, B].

The libraries write gradients into whatever they differentiate, draw from torch's global
generator and expect contiguous images. The adapters hide these side effects and change nothing in
what the libraries compute.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rst_core.attacks.budget import image_units, radius
from rst_core.attacks.gradient import LogitFunction
from rst_core.device.compat import import_advertorch, import_autoattack
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Norm


class _TowardsImages(torch.autograd.Function):
    """A model as one differentiable operation whose only gradient is that of its images."""

    @staticmethod
    def forward(ctx, model: LogitFunction, images: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        """Images, N x 3 x H x W, to logits, N x classes."""
        with torch.enable_grad():
            ctx.images = images.detach().requires_grad_(True)
            ctx.logits = model(ctx.images)
        logits: Tensor = ctx.logits.detach().clone()
        return logits

    @staticmethod
    def backward(ctx, grad: Tensor):  # type: ignore[no-untyped-def]
        """Gradient of the logits to that of the images; FAB asks several times."""
        (towards,) = torch.autograd.grad(ctx.logits, ctx.images, grad, retain_graph=True)
        return None, towards.contiguous()


def isolated(model: LogitFunction) -> LogitFunction:
    """``model`` for code that calls ``backward``: parameters get no gradient from it."""

    def call(images: Tensor) -> Tensor:
        if torch.is_grad_enabled() and images.requires_grad:
            logits: Tensor = _TowardsImages.apply(model, images)  # type: ignore[no-untyped-call]
            return logits
        with torch.no_grad():
            return model(images)

    return call


def draw_seed(rng: torch.Generator) -> int:
    """The seed that a library gets: the generator's next number."""
    return int(torch.randint(2**31, (), generator=rng, device=rng.device))


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's global generators at ``seed`` inside, and as they were afterwards."""
    trace = sys.gettrace()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        try:
            yield
        finally:
            # Auto-Attack's check for dynamic models switches tracing off for good.
            sys.settrace(trace)


def _attack_correct_only(
    model: LogitFunction, images: Tensor, labels: Tensor, attack_for: Callable[[int], Any]
) -> Tensor:
    """Attack what is classified correctly, by AdverTorch's attack for a number of classes."""
    result = images.clone(memory_format=torch.contiguous_format)
    with torch.no_grad():
        logits = model(images)
    at = (logits.argmax(1) == labels).nonzero().squeeze(1)
    if len(at):
        attack = attack_for(logits.shape[1])
        result[at] = attack.perturb(result[at], labels[at]).detach()
    return result


def cw_inf(
    model: LogitFunction, images: Tensor, labels: Tensor, spec: AttackSpec, rng: torch.Generator
) -> Tensor:
    """AdverTorch's L-infinity PGD on its Carlini-Wagner loss, every step taken.

    Of the library's two such losses this is ``loss.CWLoss``, the difference of the largest
    wrong logit and the right one. ``utils.CarliniWagnerLoss`` takes the largest wrong logit
    over a masked vector whose right entry is 0, and so ignores negative wrong logits.
    """
    attacks, losses = import_advertorch(), import_advertorch("loss")

    attack = attacks.LinfPGDAttack(
        isolated(model),
        loss_fn=losses.CWLoss(),
        eps=radius(spec),
        nb_iter=spec.steps,
        eps_iter=image_units(spec.step_size, Norm.LINF),
        rand_init=spec.random_start,
    )
    with seeded(draw_seed(rng), images.device):
        return _attack_correct_only(model, images, labels, lambda classes: attack)


def cw_l2(
    model: LogitFunction, images: Tensor, labels: Tensor, spec: AttackSpec, rng: torch.Generator
) -> Tensor:
    """AdverTorch's Carlini-Wagner L2 attack: the nearest image found that is misclassified.

    Where none is found the clean image comes back. ``rng`` is unused.
    """
    attack = partial(
        import_advertorch().CarliniWagnerL2Attack,
        isolated(model),
        learning_rate=spec.learning_rate,
        binary_search_steps=spec.search_steps,
        max_iterations=spec.steps,
        initial_const=spec.constant,
    )
    return _attack_correct_only(model, images, labels, attack)


_VERSIONS = {AttackMethod.AUTO_ATTACK: "standard", AttackMethod.AUTO_ATTACK_RAND: "rand"}
#: Fewest classes that a version's losses and targets are defined for.
_CLASSES = {"standard": 10, "rand": 3}


def official_auto_attack(
    model: LogitFunction, images: Tensor, spec: AttackSpec, version: str, seed: int
) -> Any:
    """The official code's attack in one of its versions, quiet; nothing is run yet.

    ``model`` is asked about one of ``images``: ``ValueError`` for fewer classes than the version's
    losses are defined for.
    """
    with torch.no_grad():
        classes = model(images[:1]).shape[-1]
    if classes < _CLASSES[version]:
        raise ValueError(
            f"the model has {classes} classes; {spec.method} needs at least {_CLASSES[version]}: "
            "its difference-of-logits losses are not defined for fewer"
        )
    factory = import_autoattack().AutoAttack
    # PyPI's package and the authors' repository differ in this parameter and in those of the run.
    quiet = {"verbose": False} if "verbose" in inspect.signature(factory).parameters else {}
    attack = factory(
        model,
        norm={Norm.LINF: "Linf", Norm.L2: "L2"}[spec.norm],
        eps=radius(spec),
        seed=seed,
        version=version,
        device=images.device,
        **quiet,
    )
    attack.verbose = False
    return attack


def auto_attack(
    model: LogitFunction, images: Tensor, labels: Tensor, spec: AttackSpec, rng: torch.Generator
) -> Tensor:
    """The official Auto-Attack, standard or randomised; ``ValueError`` for too few classes."""
    seed = draw_seed(rng)
    clean = images.clone(memory_format=torch.contiguous_format)
    with seeded(seed, images.device):
        attack = official_auto_attack(isolated(model), clean, spec, _VERSIONS[spec.method], seed)
        run = attack.run_standard_evaluation
        size = "batch_size" if "batch_size" in inspect.signature(run).parameters else "bs"
        found = run(clean, labels, **{size: len(images)})
    adversarial: Tensor = found[0] if isinstance(found, tuple) else found
    return adversarial

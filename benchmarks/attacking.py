"""Attacks: PGD-20, a transfer matrix, and what our adapters cost the libraries."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks import steps
from benchmarks.ratios import Ratio, quotients, take_turns
from benchmarks.victim import Victim
from rst_core.attacks import run_attack
from rst_core.attacks.budget import project, radius
from rst_core.attacks.gradient import LogitFunction, random_start
from rst_core.attacks.reference import draw_seed
from rst_core.device.compat import import_advertorch, import_autoattack
from rst_core.device.seeding import generator
from rst_core.measures.evaluation import attack_and_judge, correct, natural_outcomes
from rst_core.models.networks import Classifier, prunable_weights
from rst_core.settings import AttackSpec
from rst_core.vocabulary import Architecture, AttackMethod, Norm


def pgd_full_batch(
    model: Classifier, images: Tensor, labels: Tensor, spec: AttackSpec, rng: torch.Generator
) -> Tensor:
    """PGD whose every step carries the whole batch and computes the weights' gradients too.

    An image stays at its first misclassified iterate, as in ours: the outcomes must agree.
    """
    current = random_start(images, spec, rng)
    done = torch.zeros(len(images), dtype=torch.bool, device=images.device)
    for _ in range(spec.steps):
        current = current.detach().requires_grad_(True)
        logits = model(current)
        torch.autograd.backward(F.cross_entropy(logits, labels, reduction="sum"))
        assert current.grad is not None
        done |= logits.argmax(1) != labels
        moved = current.detach() + spec.step_size / 255 * current.grad.sign()
        moved = project(moved, images, spec)
        current = torch.where(done.view(-1, 1, 1, 1), current.detach(), moved)
    return current.detach()


def pgd_evaluation(victim: Victim, rounds: int) -> list[Ratio]:
    """PGD-20 on a model that is about half robust: ours, and the plain way."""
    model, spec, images = victim.model, victim.spec, victim.images.first(200)
    trainable = copy.deepcopy(model).requires_grad_(True)
    _, clean, labels = next(images.evaluation_batches(len(images)))
    outcomes: dict[str, Tensor] = {}

    def ours() -> None:
        found = run_attack(model, clean, labels, spec, generator("pgd"))
        outcomes["ours"] = correct(model, found, labels)

    def plain() -> None:
        trainable.zero_grad(set_to_none=True)
        found = pgd_full_batch(trainable, clean, labels, spec, generator("pgd"))
        outcomes["plain"] = correct(trainable, found, labels)

    times = take_turns({"ours": ours, "plain": plain}, rounds)
    differing = int((outcomes["ours"] != outcomes["plain"]).sum())
    remark = (
        f"{100 * victim.robust:.0f} % robust, {len(images)} images, {differing} outcomes differ"
    )
    values, against = (
        quotients(times["plain"], times["ours"]),
        "full batch, with weights' gradients",
    )
    return [Ratio("PGD-20 evaluation", against, values, "at least", 1.8, remark)]


def transfer_rows(victim: Victim, rounds: int, tickets: int = 8) -> list[Ratio]:
    """A row attacks once and judges all; the plain way attacks for every pair.

    Clean accuracy is measured of every judge either way, as in every attack cell.
    """
    members = {str(i): _perturbed(victim.model, i) for i in range(tickets)}
    images, spec = victim.images.first(32), victim.spec
    found: dict[str, list[Tensor]] = {}

    def judged(source: Classifier, judges: dict[str, Classifier]) -> list[Tensor]:
        outcomes = attack_and_judge(source, judges, images, spec).outcomes
        for judge in judges.values():
            natural_outcomes(judge, images)
        return [outcomes[name] for name in judges]

    def rows() -> None:
        found["rows"] = [one for source in members.values() for one in judged(source, members)]

    def pairs() -> None:
        found["pairs"] = [
            *(judged(source, {name: judge})[0] for source in members.values()
              for name, judge in members.items())
        ]  # fmt: skip

    times = take_turns({"rows": rows, "pairs": pairs}, rounds, warm_up=False)
    both = zip(found["rows"], found["pairs"], strict=True)
    differing = sum(int((a != b).sum()) for a, b in both)
    what, against = f"{tickets} rows of a transfer matrix", f"{tickets**2} attack runs"
    remark = f"{len(images)} images, {differing} outcomes differ"
    values = quotients(times["pairs"], times["rows"])
    return [Ratio(what, against, values, "at least", 5.0, remark)]


def _perturbed(model: Classifier, seed: int) -> Classifier:
    """A copy whose weights moved a little: another ticket, as far as time goes."""
    device = next(model.parameters()).device
    width = prunable_weights(model)["network.conv1.weight"].shape[0] / 64
    other = steps.network(Architecture.PREACT_RESNET18, width, device)
    other.load_state_dict(model.state_dict())
    rng = generator("perturbed", seed)
    with torch.no_grad():
        for weight in other.parameters():
            noise = torch.randn(weight.shape, generator=rng).to(device)
            weight.add_(0.1 * weight.std() * noise)
    return other.eval().requires_grad_(False)


def libraries(victim: Victim, rounds: int, count: int = 4) -> list[Ratio]:
    """Auto-Attack and CW through us against the same library called directly.

    Both start from one seed, so that they do the same work: Auto-Attack spends its time on the
    images that its earlier attacks leave standing. Rounds of the same work differ by more than
    the bound leaves, so that there are many short ones.
    """
    # Whoever comes first would pay for the imports, a second: most of what small trials showed.
    for library in (import_advertorch, import_autoattack):
        library()
    results = []
    for name, spec, direct, images in (
        ("CW-Inf", _cw_inf(victim.spec), _direct_cw_inf, victim.images.first(20 * count)),
        ("Auto-Attack", _auto_attack(victim.spec), _direct_auto_attack, victim.images.first(count)),
    ):
        _, x, y = next(images.evaluation_batches(len(images)))
        found: dict[str, Tensor] = {}
        variants: dict[str, Callable[[], object]] = {
            "ours": partial(_noting, found, "ours", _ours, victim.model, x, y, spec),
            "direct": partial(_noting, found, "direct", direct, victim.model, x, y, spec),
        }
        times = take_turns(variants, 3 * rounds, warm_up=False)
        values = quotients(times["ours"], times["direct"])
        left = correct(victim.model, found["direct"], y) != correct(victim.model, found["ours"], y)
        remark = f"{len(images)} images, {int(left.sum())} outcomes differ"
        results.append(Ratio(name, "the library called directly", values, "at most", 1.02, remark))
    return results


def _noting(
    found: dict[str, Tensor], name: str, attack: Callable[..., Tensor], *arguments: Any
) -> None:
    found[name] = attack(*arguments)


def _ours(model: Classifier, x: Tensor, y: Tensor, spec: AttackSpec) -> Tensor:
    return run_attack(model, x, y, spec, generator("library"))


def _cw_inf(like: AttackSpec) -> AttackSpec:
    return AttackSpec(
        name="cw_inf", method=AttackMethod.CW_INF, norm=Norm.LINF, eps=like.eps, steps=100,
        step_size=2.55, random_start=True, seed=0,
    )  # fmt: skip


def _auto_attack(like: AttackSpec) -> AttackSpec:
    return AttackSpec(
        name="auto_attack", method=AttackMethod.AUTO_ATTACK, norm=Norm.LINF, eps=like.eps, seed=0
    )


def _direct_cw_inf(model: Classifier, x: Tensor, y: Tensor, spec: AttackSpec) -> Tensor:
    torch.manual_seed(draw_seed(generator("library")))
    with torch.no_grad():
        standing = model(x).argmax(1) == y
    attack = import_advertorch().LinfPGDAttack(
        model, loss_fn=import_advertorch("loss").CWLoss(), eps=radius(spec),
        nb_iter=spec.steps, eps_iter=spec.step_size / 255, rand_init=True,
    )  # fmt: skip
    result = x.contiguous().clone()
    result[standing] = attack.perturb(result[standing], y[standing])
    return result


def _direct_auto_attack(model: LogitFunction, x: Tensor, y: Tensor, spec: AttackSpec) -> Tensor:
    factory = import_autoattack().AutoAttack
    seed = draw_seed(generator("library"))
    torch.manual_seed(seed)
    attack = factory(model, norm="Linf", eps=radius(spec), seed=seed, version="standard",
                     device=x.device)  # fmt: skip
    attack.verbose = False
    found = attack.run_standard_evaluation(x.contiguous(), y)
    adversarial: Tensor = found[0] if isinstance(found, tuple) else found
    return adversarial

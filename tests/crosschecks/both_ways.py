"""The same attack through us and by the library that is its reference."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
from torch import Tensor

from rst_core.attacks import run_attack
from rst_core.attacks.reference import draw_seed
from rst_core.device.compat import import_advertorch, import_autoattack
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Norm
from tests.crosschecks.subjects import CW_INF, CW_L2, PGD20, Subject, at, rng

#: Robust accuracies are means over these, so that the comparison is of attacks, not of starts.
SEEDS = (0, 1, 2)


def _advertorch_pgd(subject: Subject) -> Tensor:
    attack = import_advertorch().LinfPGDAttack(
        subject.model, eps=subject.eps / 255, nb_iter=20, eps_iter=subject.eps / 4 / 255
    )
    return attack.perturb(subject.images, subject.labels)


def _torchattacks_pgd(subject: Subject) -> Tensor:
    import torchattacks

    # It asks the model's parameters for the device.
    eps = subject.eps / 255
    attack = torchattacks.PGD(subject.model, eps=eps, alpha=eps / 4, steps=20)
    return attack(subject.images, subject.labels)


#: What makes a library's adversarial images, by its name.
PGD20_OF: dict[str, Callable[[Subject], Tensor]] = {
    "advertorch": _advertorch_pgd,
    "torchattacks": _torchattacks_pgd,
}


def our_pgd20(subject: Subject) -> float:
    """Robust accuracy (%) under our PGD-20, mean over seeds."""
    outcomes = [subject.survivors(at(PGD20, subject.eps), seed) for seed in SEEDS]
    return 100 * float(torch.stack(outcomes).mean())


def library_pgd20(subject: Subject, library: str) -> float:
    """Robust accuracy (%) under a library's PGD-20, mean over seeds.

    Images that are misclassified to begin with stay so: an attack could only turn them back.
    """
    few, _ = _correct_only(subject)
    outcomes = []
    for seed in SEEDS:
        torch.manual_seed(seed)
        outcomes.append(few.judge(PGD20_OF[library](few)))
    correct = torch.stack(outcomes).float().sum(1).mean()
    return 100 * float(correct) / len(subject.images)


def _ours(subject: Subject, spec: AttackSpec) -> Tensor:
    found = run_attack(subject.model, subject.images, subject.labels, spec, rng())
    return subject.judge(found)


def _correct_only(subject: Subject) -> tuple[Subject, Tensor]:
    """What our adapters hand to AdverTorch, and where it lies."""
    at_start = subject.judge(subject.images).nonzero().squeeze(1)
    return subject.rows(at_start), at_start


def cw_inf(subject: Subject) -> tuple[Tensor, Tensor]:
    """Outcomes of CW-Inf through us, and of AdverTorch's code called directly."""
    few, where = _correct_only(subject)
    torch.manual_seed(draw_seed(rng()))
    attack = import_advertorch().LinfPGDAttack(
        few.model,
        loss_fn=import_advertorch("loss").CWLoss(),
        eps=subject.eps / 255,
        nb_iter=100,
        eps_iter=0.01,
    )
    theirs = torch.zeros(len(subject.labels), dtype=torch.bool)
    theirs[where] = few.judge(attack.perturb(few.images, few.labels))
    return _ours(subject, dataclasses.replace(CW_INF, eps=subject.eps)), theirs


def cw_l2(subject: Subject) -> tuple[Tensor, Tensor]:
    """Outcomes of CW-L2 through us, and of AdverTorch's code called directly."""
    few, where = _correct_only(subject)
    attack = import_advertorch().CarliniWagnerL2Attack(
        few.model,
        10,
        learning_rate=0.01,
        binary_search_steps=1,
        max_iterations=100,
        initial_const=0.1,
    )
    theirs = torch.zeros(len(subject.labels), dtype=torch.bool)
    theirs[where] = few.judge(attack.perturb(few.images, few.labels))
    return _ours(subject, CW_L2), theirs


def auto_attack(
    subject: Subject, method: AttackMethod = AttackMethod.AUTO_ATTACK
) -> tuple[Tensor, Tensor]:
    """Outcomes of Auto-Attack on the first images through us, and called directly."""
    few, version = subject.first(subject.few), "standard"
    if method is AttackMethod.AUTO_ATTACK_RAND:
        version = "rand"
    attack = import_autoattack().AutoAttack(
        few.model, norm="Linf", eps=subject.eps / 255, seed=draw_seed(rng()), version=version
    )
    attack.verbose = False
    with torch.random.fork_rng([]):
        found = attack.run_standard_evaluation(few.images, few.labels, batch_size=subject.few)
    spec = AttackSpec(name=method.value, method=method, norm=Norm.LINF, eps=subject.eps)
    return _ours(few, spec), few.judge(found[0])

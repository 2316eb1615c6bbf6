"""Print the cross-check table of docs/attacks.md: ``python -m tests.crosschecks.table``.

Every number is measured by this run, by the functions that the tests use.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator

import pandas as pd
import torch

from rst_core.vocabulary import AttackMethod, Norm
from tests.conftest import SHARED_DATA
from tests.crosschecks import both_ways
from tests.crosschecks import test_linear as linear
from tests.crosschecks.subjects import ARCHIVE, Subject, cifar_subject, digits_subject


def _percent(outcomes: torch.Tensor) -> str:
    return f"{100 * float(outcomes.float().mean()):.2f} %"


def _same(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    differing = int((ours != theirs).sum())
    return "identical on every image" if not differing else f"{differing} images differ"


Row = tuple[str, str, str, int, str, str, str]


def subject_rows(subject: Subject) -> Iterator[Row]:
    """Model, attack, reference, images, our number, its number, and what the test demands."""
    count, eps = len(subject.images), f"eps {subject.eps:g}"
    libraries = {"AdverTorch LinfPGDAttack": "advertorch", "torchattacks PGD": "torchattacks"}
    ours = both_ways.our_pgd20(subject)
    for name, library in libraries.items():
        theirs = both_ways.library_pgd20(subject, library)
        demand = f"within 0.5 points; mean of {len(both_ways.SEEDS)} seeds"
        attack = f"PGD-20, {eps}"
        yield subject.name, attack, name, count, f"{ours:.2f} %", f"{theirs:.2f} %", demand
    chain = subject.first(subject.chain)
    both = {
        f"CW-Inf, {eps}": (
            "AdverTorch LinfPGDAttack, CWLoss", both_ways.cw_inf, chain,
        ),
        "CW-L2": ("AdverTorch CarliniWagnerL2Attack", both_ways.cw_l2, chain),
        f"Auto-Attack, {eps}": (
            "Auto-Attack called directly", both_ways.auto_attack, subject,
        ),
    }  # fmt: skip
    for attack, (reference, measure, images) in both.items():
        mine, other = measure(images)
        numbers = _percent(mine), _percent(other), _same(mine, other)
        yield subject.name, attack, reference, len(mine), *numbers


def linear_rows() -> Iterator[Row]:
    """The same for the linear model, whose reference is its exact answer."""
    attacks = [
        (f"{method} {norm}, eps {size:g}", linear.gradient_spec(method, norm, size), size,
         "at most 1 image differs")
        for method, norm, size in (
            (AttackMethod.PGD, Norm.LINF, 3.0),
            (AttackMethod.PGD, Norm.L2, 0.06),
            (AttackMethod.CW_INF, Norm.LINF, 3.0),
        )
    ] + [
        (f"Bandits, eps {size:g}, {queries} queries", linear.bandits_spec(size, queries), size,
         "within 3 points" if queries == 10_000 else "falls with queries")
        for size, queries in itertools.product((1.0, 3.0), (20, 200, 10_000))
    ]  # fmt: skip
    for attack, spec, size, demand in attacks:
        mine, exact = linear.survivors(spec), linear.exact_survivors(size, spec.norm)
        numbers = _percent(mine), _percent(exact)
        yield "linear", attack, "exact answer", len(mine), *numbers, demand


def main() -> None:
    """Train, measure, and print Markdown."""
    trained, archive = [digits_subject()], SHARED_DATA / ARCHIVE
    if archive.is_file():
        trained.append(cifar_subject(archive))
    else:
        print(f"left out: no {archive.name} beside this checkout", file=sys.stderr)
    heads = ["Model", "Attack", "Reference", "Images", "Ours", "Reference's", "Test"]
    rows = [*itertools.chain.from_iterable(map(subject_rows, trained)), *linear_rows()]
    print(pd.DataFrame(rows, columns=heads).to_markdown(index=False))


if __name__ == "__main__":
    main()

"""Print the cross-check table of docs/attacks.md: ``python -m tests.crosschecks.table``.

Every number is measured by this run, by the functions that the tests use.
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterable, Iterator

import torch

from rst_core.vocabulary import AttackMethod, Norm
from tests.conftest import SHARED_DATA
from tests.crosschecks import both_ways
from tests.crosschecks import test_linear as linear
from tests.crosschecks.subjects import (
    ARCHIVE,
    PGD20,
    Subject,
    at,
    cifar_subject,
    digits_subject,
    order,
)


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
        try:
            theirs = both_ways.library_pgd20(subject, library)
        except ModuleNotFoundError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
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


def _table(heads: list[str], rows: Iterable[tuple[object, ...]]) -> None:
    print("| " + " | ".join(heads) + " |")
    print("|---" * len(heads) + "|")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print()


def order_rows(subject: Subject) -> Iterator[tuple[str, str, str]]:
    """From the weakest attack to the strongest: its number, and that on the few images."""
    few = subject.few
    for name, outcomes in order(subject).items():
        yield name, _percent(outcomes), _percent(outcomes[:few])
    chain = subject.first(subject.chain)
    for size in (8.0, 12.0, 16.0):
        outcomes = chain.survivors(at(PGD20, size))
        yield f"PGD-20, eps {size:g}", _percent(outcomes), _percent(outcomes[:few])


def main() -> None:
    """Train, measure, and print Markdown."""
    began = time.process_time()
    trained, archive = [digits_subject()], SHARED_DATA / ARCHIVE
    if archive.is_file():
        trained.append(cifar_subject(archive))
    else:
        print(f"left out: no {archive.name} beside this checkout", file=sys.stderr)
    heads = ["Model", "Attack", "Reference", "Images", "Ours", "Reference's", "Test"]
    found = itertools.chain.from_iterable(map(subject_rows, trained))
    _table(heads, itertools.chain(found, linear_rows()))
    for subject in trained:
        images = f"{subject.chain} images"
        heads = [f"{subject.name}, eps {subject.eps:g}", images, f"the first {subject.few}"]
        _table(heads, order_rows(subject))
    print(f"{time.process_time() - began:.0f} CPU seconds.", file=sys.stderr)


if __name__ == "__main__":
    main()

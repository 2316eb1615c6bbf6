"""Print the cross-check table of docs/attacks.md: ``python -m tests.crosscheck_table``.

Every number is measured by this run, by the functions that the tests use.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import torch

from rst_core.vocabulary import AttackMethod, Norm
from tests import crosschecks
from tests.crosschecks import Subject


def _percent(outcomes: torch.Tensor) -> str:
    return f"{100 * float(outcomes.float().mean()):.2f} %"


def _same(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    differing = int((ours != theirs).sum())
    return "identical on every image" if not differing else f"{differing} images differ"


def rows(subject: Subject) -> Iterator[tuple[str, str, int, str, str, str]]:
    """Attack, reference, images, our number, its number, and what the test demands."""
    count, eps = len(subject.images), f"eps {crosschecks.EPS:g}"
    libraries = {"AdverTorch LinfPGDAttack": "advertorch", "torchattacks PGD": "torchattacks"}
    for name, library in libraries.items():
        try:
            ours, theirs = crosschecks.mean_over_seeds(subject, library)
        except ModuleNotFoundError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        demand = f"within 0.5 points; mean of {len(crosschecks.SEEDS)} seeds"
        yield f"PGD-20, {eps}", name, count, f"{ours:.2f} %", f"{theirs:.2f} %", demand
    both = {
        f"CW-Inf, {eps}": ("AdverTorch LinfPGDAttack, CWLoss", crosschecks.cw_inf_both_ways),
        "CW-L2": ("AdverTorch CarliniWagnerL2Attack", crosschecks.cw_l2_both_ways),
        f"Auto-Attack, {eps}": ("Auto-Attack called directly", crosschecks.auto_attack_both_ways),
    }
    for name, (reference, measure) in both.items():
        mine, other = measure(subject)
        yield name, reference, len(mine), _percent(mine), _percent(other), _same(mine, other)
    for method, norm, size in (
        (AttackMethod.PGD, Norm.LINF, 3.0),
        (AttackMethod.PGD, Norm.L2, 0.06),
        (AttackMethod.CW_INF, Norm.LINF, 3.0),
    ):
        mine = crosschecks.linear_survivors(crosschecks.linear_spec(method, norm, size))
        exact = crosschecks.exact_linear(size, norm)
        yield (
            f"{method} {norm}, eps {size:g}",
            "exact answer of a linear model",
            len(mine),
            _percent(mine),
            _percent(exact),
            "at most 1 image differs",
        )
    for size in (1.0, 3.0):
        for queries in (20, 200, 10_000):
            mine = crosschecks.linear_survivors(crosschecks.bandits_spec(size, queries))
            yield (
                f"Bandits, eps {size:g}, {queries} queries",
                "exact answer of a linear model",
                len(mine),
                _percent(mine),
                _percent(crosschecks.exact_linear(size, Norm.LINF)),
                "within 3 points" if queries == 10_000 else "falls with queries",
            )


def main() -> None:
    """Train, measure, and print Markdown."""
    began = time.process_time()
    subject = crosschecks.trained_subject()
    chain = crosschecks.order(subject)
    print("| Attack | Reference | Images | Ours | Reference's | Test |")
    print("|---|---|---|---|---|---|")
    for row in rows(subject):
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print()
    few = crosschecks.FEW
    print("| Attack, from weak to strong | all images | the first " + f"{few} |")
    print("|---|---|---|")
    for name, outcomes in chain.items():
        print(f"| {name} | {_percent(outcomes)} | {_percent(outcomes[:few])} |")
    for size in (8.0, 12.0):
        outcomes = subject.survivors(crosschecks.at(crosschecks.PGD20, size))
        print(f"| PGD-20, eps {size:g} | {_percent(outcomes)} | {_percent(outcomes[:few])} |")
    print(f"\n{time.process_time() - began:.0f} CPU seconds.", file=sys.stderr)


if __name__ == "__main__":
    main()

"""``python -m benchmarks``: measure, write CSV, picture and the tables of docs/performance.md.

Run it on an idle machine. ``--only`` takes some of the benchmarks; the page is filled in only
when all of them ran, so that every number on it is of one run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from benchmarks import attacking, document, growth, resources, search
from benchmarks.ratios import Ratio
from benchmarks.victim import Victim, train_victim
from rst_core.files import write_text
from rst_core.progress import say

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


@cache
def _victim() -> Victim:
    return train_victim(torch.device("cpu"))


BENCHMARKS: dict[str, Callable[[int], list[Ratio]]] = {
    "search": search.search_steps,
    "pgd": lambda rounds: attacking.pgd_evaluation(_victim(), rounds),
    "transfer": lambda rounds: attacking.transfer_matrix(_victim(), 1),
    "libraries": lambda rounds: attacking.libraries(_victim(), rounds),
    "memory": resources.memory,
    "tickets": lambda rounds: resources.ticket_files(),
    "fixed": lambda rounds: resources.fixed_cost(2 * rounds),
    "dry_run": lambda rounds: resources.dry_run(),
}


def main() -> None:
    """Run what is asked for and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*BENCHMARKS, "growth"]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=PAGE.parent / "performance")
    arguments = parser.parse_args()
    ratios: list[Ratio] = []
    for name in arguments.only:
        if name in BENCHMARKS:
            say(f"measuring {name}")
            ratios += BENCHMARKS[name](arguments.rounds)
            say(document.ratio_table(ratios).rsplit("\n", 1)[-1])
            write_text(arguments.out / "ratios.csv", document.ratios_csv(ratios))
    if "growth" in arguments.only:
        say("measuring growth")
        points = growth.step_growth(arguments.rounds, torch.device("cpu"))
        points += growth.aggregation_growth()
        write_text(arguments.out / "growth.csv", document.points_csv(points))
        document.draw_growth(points, arguments.out / "growth.png")
    print(document.ratio_table(ratios))
    if set(arguments.only) == set(names):
        document.fill(PAGE, "machine", document.machine())
        document.fill(PAGE, "ratios", document.ratio_table(ratios))


if __name__ == "__main__":
    main()

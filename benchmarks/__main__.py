"""``python -m benchmarks``: measure, write CSV and the tables of docs/performance.md.

Run it on an idle machine. ``--only`` takes some of the benchmarks; the page is filled in only
when all of them ran, so that every number on it is of one run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch

from benchmarks import attacking, document, gpu, resources, search
from benchmarks.ratios import Ratio
from benchmarks.victim import Victim, train_victim
from rst_core.storage import write_text
from workflow.measured_page import fill

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"


@cache
def _victim() -> Victim:
    return train_victim(torch.device("cpu"))


#: What gives lines of the table, by the number of rounds.
RATIOS: dict[str, Callable[[int], list[Ratio]]] = {
    "tickets": lambda rounds: resources.ticket_files(),
    "dry_run": lambda rounds: resources.dry_run(),
    "status": resources.status,
    "pgd": lambda rounds: attacking.pgd_evaluation(_victim(), rounds),
    "transfer": lambda rounds: attacking.transfer_rows(_victim(), min(2, rounds)),
    "libraries": lambda rounds: attacking.libraries(_victim(), rounds),
    "search": search.search_steps,
}


def main() -> None:
    """Run what is asked for and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*RATIOS, "gpu"]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=PAGE.parent / "performance")
    arguments = parser.parse_args()
    ratios: list[Ratio] = []
    for name in RATIOS:
        if name in arguments.only:
            began = time.perf_counter()
            found = RATIOS[name](arguments.rounds)
            ratios += found
            print(document.ratio_table(found), flush=True)
            print(f"{name} took {time.perf_counter() - began:.0f} s", flush=True)
            write_text(arguments.out / "ratios.csv", document.ratios_csv(ratios))
    on_gpu = "Not measured: there was no CUDA device where this page was filled in."
    if "gpu" in arguments.only and torch.cuda.is_available():
        on_gpu = gpu.table(gpu.measure(torch.device("cuda"), arguments.rounds))
        print(on_gpu, flush=True)
    if set(arguments.only) == set(names):
        table = document.ratio_table(ratios)
        fill(PAGE, {"machine": document.machine(), "ratios": table, "gpu": on_gpu})


if __name__ == "__main__":
    main()

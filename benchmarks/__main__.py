"""``python -m benchmarks``: measure, write CSV, picture and the tables of docs/performance.md.

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

from benchmarks import (
    attacking,
    demo,
    document,
    gpu,
    growth,
    precision,
    profile,
    resources,
    search,
    sharing,
)
from benchmarks.ratios import Ratio
from benchmarks.victim import Victim, train_victim
from rst_core.allocator import keep_freed_memory
from rst_core.files import write_text
from rst_core.progress import say
from workflow.measured_page import fill

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"


@cache
def _victim() -> Victim:
    return train_victim(torch.device("cpu"))


#: What gives lines of the table.
RATIOS: dict[str, Callable[[int], list[Ratio]]] = {
    "demo": lambda rounds: demo.demo(ROOT),
    "tickets": lambda rounds: resources.ticket_files(),
    "dry_run": lambda rounds: resources.dry_run(),
    "fixed": lambda rounds: resources.fixed_cost(2 * rounds),
    "memory": lambda rounds: resources.memory(min(2, rounds)),
    "pgd": lambda rounds: attacking.pgd_evaluation(_victim(), rounds),
    "transfer": lambda rounds: attacking.transfer_matrix(_victim(), min(2, rounds)),
    "libraries": lambda rounds: attacking.libraries(_victim(), rounds),
    "sharing": lambda rounds: sharing.sharing(min(2, rounds)),
    "search": search.search_steps,
}
#: What fills a part of the page of its own.
PARTS = ("precision", "growth", "profile", "gpu")


def main() -> None:
    """Run what is asked for and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [*RATIOS, *PARTS]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=PAGE.parent / "performance")
    arguments = parser.parse_args()
    keep_freed_memory()  # as every command of rst does; all variants gain
    ratios: list[Ratio] = []
    texts: dict[str, str] = {}
    for name in names:
        if name not in arguments.only:
            continue
        began = time.perf_counter()
        say(f"measuring {name}")
        if name in RATIOS:
            found = RATIOS[name](arguments.rounds)
            say("\n".join(document.ratio_table(found).splitlines()[2:]))
        else:
            texts[name], found = _part(name, arguments.rounds, arguments.out)
            say(texts[name])
        ratios += found
        write_text(arguments.out / "ratios.csv", document.ratios_csv(ratios))
        say(f"{name} took {time.perf_counter() - began:.0f} s")
    if set(arguments.only) == set(names):
        texts |= {"machine": document.machine(), "ratios": document.ratio_table(ratios)}
        if not any(r.what == demo.WHAT for r in ratios):
            texts["ratios"] += f"\n\nNot measured: {demo.WHAT}; no finished demo was in results/."
        fill(PAGE, texts)


def _part(name: str, rounds: int, out: Path) -> tuple[str, list[Ratio]]:
    """Text of a part of the page, and what it adds to the table."""
    if name == "precision":
        return precision.precision(), []
    if name == "profile":
        found = profile.profiles(_victim(), width=0.5, size=64, images=100)
        return f"```text\n{found}\n```", []
    if name == "gpu":
        if not torch.cuda.is_available():
            return "Not measured: there was no CUDA device where this page was filled in.", []
        rows, ratios = gpu.measure(torch.device("cuda"), rounds)
        return gpu.table(rows), ratios
    points = growth.step_growth(1, torch.device("cpu"))
    points += growth.aggregation_growth()
    write_text(out / "growth.csv", document.points_csv(points))
    document.draw_growth(points, out / "growth.png")
    seconds = points[-1][2]
    made = Ratio("10,000 cell files into all artifacts", "one second", (seconds,), "at most", 60)
    return "![growth](performance/growth.png)", [made]


if __name__ == "__main__":
    main()

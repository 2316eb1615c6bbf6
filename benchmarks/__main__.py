"""``python -m benchmarks``: measure, write CSV and the tables of docs/performance.md.

Run it on an idle machine. ``--only`` takes some of the benchmarks; the page is filled in only
when all of them ran, so that every number on it is of one run.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks import attacking, gpu, resources, search
from benchmarks.ratios import Ratio, ratio_table, ratios_csv
from rst_core.job.records import cpu_model, source_revision
from rst_core.storage import write_text
from workflow.measured_page import fill

PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"

#: What gives lines of the table, by the number of rounds.
RATIOS: dict[str, Callable[[int], list[Ratio]]] = {
    "dry_run": lambda rounds: resources.dry_run(),
    "pgd": lambda rounds: [attacking.pgd_evaluation(rounds)],
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
            print(ratio_table(found), flush=True)
            print(f"{name} took {time.perf_counter() - began:.0f} s", flush=True)
            write_text(arguments.out / "ratios.csv", ratios_csv(ratios))
    on_gpu = "Not measured: there was no CUDA device where this page was filled in."
    if "gpu" in arguments.only and torch.cuda.is_available():
        on_gpu = gpu.milliseconds_table(gpu.measure(torch.device("cuda"), arguments.rounds))
        print(on_gpu, flush=True)
    if set(arguments.only) == set(names):
        fill(PAGE, {"machine": _machine(), "ratios": ratio_table(ratios), "gpu": on_gpu})


def _machine() -> str:
    """One line on where and when this was measured."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{os.cpu_count()} cores of {cpu_model()}; {device}; {torch.get_num_threads()} threads; "
        f"torch {torch.__version__}; Python {platform.python_version()}; "
        f"{datetime.now(UTC):%Y-%m-%d}; revision {source_revision()}"
    )


if __name__ == "__main__":
    main()

"""``rst``: the commands of the workflow, and every command of :mod:`rst_core.job.cli`.

Without an installation ``python -m workflow.cli`` is the same.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rst_core.job import cli
from rst_core.job.commands import parser
from rst_core.job.flags import number
from rst_core.ranges import Range

_TARGETS = (
    "an artifact (table3, results/figures/fig7.png), all_tables, all_figures, all_cells, all, "
    "an experiment's cells (cells_finetuning), or the path of a cell (default: all)"
)
_WORDS = (
    "filter by a value of any axis or by a role (resnet18, rst, pgd20), or by axis=value "
    "(keep=0.2); a cell must match all words (default: all cells)"
)

_POSITIVE = Range(0, above=True)

_CELL = "a model's file, finished or not, as 'rst cells --paths' prints it"


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit status; see :mod:`rst_core.job.cli`."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] and words[0] in COMMANDS:
        return cli.ended(words[0], lambda: _run(words[0], words[1:]))
    if words in ([], ["-h"], ["--help"]):
        top = parser(cli.__doc__)
        top.epilog = f"Workflow commands: {', '.join(COMMANDS)} (rst plan --help). {top.epilog}"
        top.print_help()
        return 0 if words else 2
    return cli.main(argv)


def _run(name: str, words: Sequence[str]) -> int:
    """Print what a command says; an expected failure is one sentence and exit status 1.

    What is not expected is :func:`rst_core.job.cli.ended`'s.
    """
    make, description = COMMANDS[name]
    try:
        text = make(_parser(name, description).parse_args(words))
    except ModuleNotFoundError as error:
        return _failed(name, f"it needs {error.name}; 'make install' installs everything")
    except (ValueError, OSError) as error:
        return _failed(name, error)
    try:
        print(text, end="", flush=True)
    except BrokenPipeError:
        # The reader has seen enough; python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _failed(name: str, reason: object) -> int:
    print(f"rst {name}: {reason}", file=sys.stderr, flush=True)
    return 1


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"rst {name}", description=description, allow_abbrev=False
    )
    if name == "watch":
        parser.add_argument("cell", type=Path, metavar="CELL", help=_CELL)
        return parser
    parser.add_argument(
        "--configfile", action="append", type=Path, default=[], metavar="FILE",
        help="what differs from config.yaml, as for snakemake; may be given several times",
    )  # fmt: skip
    if name == "cells":
        parser.add_argument("words", nargs="*", metavar="WORD", help=_WORDS)
        parser.add_argument("--paths", action="store_true", help="print targets for snakemake")
        return parser
    parser.add_argument("targets", nargs="*", default=["all"], metavar="TARGET", help=_TARGETS)
    parser.add_argument(
        "--tflops", type=number(float, _POSITIVE), metavar="X",
        help="sustained TFLOP/s of one device (default: measured on finished cells, or assumed if "
        "there are none)",
    )  # fmt: skip
    if name == "plan":
        parser.add_argument(
            "--gpus", nargs="+", type=number(int, Range(1)), default=[1, 8], metavar="N",
            help="GPU counts to estimate wall time for, one cell per GPU (default: 1 8)",
        )  # fmt: skip
        parser.add_argument(
            "--beside", nargs="+", type=Path, default=[], metavar="FILE",
            help="compare the matrices of these config files, one line each, ignoring finished "
            "cells",
        )  # fmt: skip
    else:
        parser.add_argument(
            "--window", type=number(float, _POSITIVE), default=6.0, metavar="H",
            help="hours over which throughput is measured (default: 6)",
        )  # fmt: skip
    return parser


def _plan(arguments: argparse.Namespace) -> str:
    from workflow.plan.planner import make_plan
    from workflow.plan.project import Project
    from workflow.plan.text import plan_text, sizes_text

    if arguments.beside:
        sizes = [[file] for file in arguments.beside] + [arguments.configfile]
        targets, tflops = arguments.targets, arguments.tflops
        plans = [
            make_plan(Project(Path(), one), targets, tflops, with_finished=True) for one in sizes
        ]
        return sizes_text(plans, tflops)
    project = Project(Path(), arguments.configfile)
    found = make_plan(project, arguments.targets, arguments.tflops)
    heading = f"Plan of {' '.join(arguments.targets)} ({project.label}); nothing was started."
    return plan_text(found, heading, arguments.gpus, arguments.tflops)


def _status(arguments: argparse.Namespace) -> str:
    from workflow.plan.project import Project
    from workflow.plan.status import read_status, status_text

    project = Project(Path(), arguments.configfile)
    found = read_status(project, arguments.targets, 3600 * arguments.window, arguments.tflops)
    return status_text(found, f"{' '.join(arguments.targets)} ({project.label})")


def _cells(arguments: argparse.Namespace) -> str:
    from workflow.plan.cells import cells_text, find
    from workflow.plan.project import Project

    project = Project(Path(), arguments.configfile)
    found = find(project.matrix, arguments.words)
    if arguments.paths:
        return "".join(f"{project.matrix.file(cell)}\n" for cell in found)
    return cells_text(project, found)


def _watch(arguments: argparse.Namespace) -> str:
    from workflow.watch import watch

    return watch(arguments.cell)


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], str], str]] = {
    "plan": (_plan, "Estimate the cost of targets. Starts no job."),
    "status": (
        _status,
        "Show the state of targets and the time left. Starts no job and takes no lock.",
    ),
    "cells": (_cells, "List cells of the matrix by axis values, with states and accuracies."),
    "watch": (
        _watch,
        "Plot a training curve in the terminal and refresh it until the training ends or Ctrl-C.",
    ),
}


if __name__ == "__main__":
    sys.exit(main())

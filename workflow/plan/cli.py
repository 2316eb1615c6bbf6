"""``rst plan``, ``rst status`` and ``rst calibrate``: words in, text out.

The ``rst`` command finds these through the entry points ``rst.commands`` (pyproject.toml);
``python -m workflow.plan COMMAND`` is the same without an installation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workflow.config import ConfigError
from workflow.plan.calibration import PLACE, PlanError

if TYPE_CHECKING:
    from workflow.plan.calibration import Calibration

_TARGETS = (
    "an artifact (table3, results/figures/fig7.png), all_tables, all_figures, all_cells, all, "
    "an experiment's cells (cells_finetuning), or the path of a cell"
)


def plan(argv: Sequence[str]) -> int:
    """Say what targets cost; start nothing."""
    command = _parser(
        "plan",
        "Say what targets cost before they are made: cells by kind, network and dataset, "
        "hours, disk, and what each adds to those before it. Starts nothing.",
    )
    _targets(command)
    _calibration(command)
    command.add_argument(
        "--gpus", nargs="+", type=_positive, default=[1, 8], metavar="N",
        help="how long everything takes with N GPUs, one a cell (default: 1 8)",
    )  # fmt: skip
    command.add_argument(
        "--by", nargs="+", default=["kind", "network", "dataset"], metavar="AXIS",
        choices=["kind", "network", "dataset"],
        help="rows of the first table: some of %(choices)s (default: all)",
    )  # fmt: skip
    command.add_argument(
        "--margin", type=_margin, metavar="F", help="factor on all hours (default: 1.2)"
    )
    command.add_argument("--markdown", action="store_true", help="tables in Markdown")
    return _run(command, argv, _plan)


def status(argv: Sequence[str]) -> int:
    """Say how far targets are; lock nothing."""
    command = _parser(
        "status",
        "Say how far targets are: done, running, failed and waiting cells, throughput, and "
        "the time that is left. Reads files and squeue; locks and starts nothing.",
    )
    _targets(command)
    _calibration(command)
    command.add_argument(
        "--window", type=float, default=6.0, metavar="H",
        help="hours over which throughput is measured (default: 6)",
    )  # fmt: skip
    return _run(command, argv, _status)


def calibrate(argv: Sequence[str]) -> int:
    """Time the calls that cells are made of, on this device."""
    command = _parser(
        "calibrate",
        "Time the few calls that all cells are made of, on the device at hand, in a few "
        "minutes, and write a calibration file for 'rst plan'.",
    )
    _targets(command)
    command.add_argument("--output", type=Path, default=PLACE, help="default: %(default)s")
    command.add_argument(
        "--threads", type=_positive, default=1, metavar="N",
        help="CPU threads, as many as the cells' jobs will have (default: 1)",
    )  # fmt: skip
    command.add_argument(
        "--limit", type=float, default=1.0, metavar="S",
        help="seconds after which a call counts as long: larger batches are then taken in "
        "proportion (default: 1)",
    )  # fmt: skip
    command.add_argument(
        "--assume-tflops", type=float, metavar="X",
        help="time nothing: count operations and assume X TFLOP/s sustained in float32; the "
        "plan says so",
    )  # fmt: skip
    return _run(command, argv, _calibrate)


def check(argv: Sequence[str]) -> int:
    """Compare predicted with measured seconds of finished cells."""
    command = _parser(
        "check", "Compare predicted with measured seconds of the finished cells of targets."
    )
    _targets(command)
    _calibration(command)
    command.add_argument("--markdown", action="store_true", help="tables in Markdown")
    command.add_argument(
        "--within", type=_margin, metavar="F",
        help="fail if everything together, or a kind of cell that took long, is off by more",
    )  # fmt: skip
    command.add_argument(
        "--into", type=Path, metavar="FILE", help="also fill in this page, such as docs/plan.md"
    )
    return _run(command, argv, _check)


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "plan": plan,
    "status": status,
    "calibrate": calibrate,
    "check": check,
}


def _parser(name: str, text: str) -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(prog=f"rst {name}", description=text, allow_abbrev=False)
    command.add_argument(
        "--configfile", action="append", type=Path, default=[], metavar="FILE",
        help="what differs from config.yaml, as for snakemake; may be given several times",
    )  # fmt: skip
    return command


def _targets(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "targets", nargs="*", default=["all"], metavar="TARGET", help=f"{_TARGETS} (default: all)"
    )


def _calibration(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--calibration", type=Path, metavar="FILE", help=f"written by rst calibrate ({PLACE})"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"is {text}; allowed is 1 or more")
    return number


def _margin(text: str) -> float:
    number = float(text)
    if not number >= 1:
        raise argparse.ArgumentTypeError(f"is {text}; allowed is 1 or more, such as 1.2")
    return number


def _run(
    command: argparse.ArgumentParser,
    argv: Sequence[str],
    work: Callable[[argparse.Namespace], str],
) -> int:
    """Print what the work returns; expected failures are one sentence and exit status 1."""
    arguments = command.parse_args(argv)
    try:
        sys.stdout.write(work(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough; python would complain once more when it exits.
        sys.stdout = open("/dev/null", "w")  # noqa: SIM115
    except (PlanError, ConfigError, ValueError, OSError) as error:
        print(f"{command.prog}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _plan(arguments: argparse.Namespace) -> str:
    from workflow.plan.planner import MARGIN, make_plan
    from workflow.plan.project import Project
    from workflow.plan.text import plan_text

    project = Project(Path(), arguments.configfile)
    margin = MARGIN if arguments.margin is None else arguments.margin
    found = make_plan(project, arguments.targets, _found(arguments), margin)
    heading = f"Plan of {' '.join(arguments.targets)} ({project.label}); nothing was started."
    return plan_text(found, heading, arguments.gpus, arguments.by, markdown=arguments.markdown)


def _status(arguments: argparse.Namespace) -> str:
    from workflow.plan.project import Project
    from workflow.plan.status import look, status_text

    if not arguments.window > 0:
        raise PlanError(f"--window is {arguments.window:g}; allowed is a positive number of hours")
    project = Project(Path(), arguments.configfile)
    found = look(project, arguments.targets, _found(arguments), 3600 * arguments.window)
    return status_text(found, f"{' '.join(arguments.targets)} ({project.label})")


def _calibrate(arguments: argparse.Namespace) -> str:
    import torch

    from workflow.plan.calibration import write_calibration
    from workflow.plan.needs import Graph, parts_of, whole
    from workflow.plan.project import Project
    from workflow.plan.wanted import wanted

    if not arguments.limit > 0:
        raise PlanError(f"--limit is {arguments.limit:g}; allowed is a positive number of seconds")
    torch.set_num_threads(arguments.threads)
    project = Project(Path(), arguments.configfile)
    graph = Graph(project.matrix, lambda cell: False)
    parts = parts_of(arguments.targets, project.matrix)
    jobs = whole(graph.jobs(cell for part in parts for cell in part.cells))
    want = wanted(project.matrix, (job.cell for job in jobs))
    if arguments.assume_tflops is not None:
        from workflow.plan.assume import assume

        found = assume(want, arguments.assume_tflops)
    else:
        from workflow.plan.measure import calibrate as measure

        found = measure(want, arguments.limit)
    write_calibration(arguments.output, found)
    lines = [f"wrote {arguments.output}: {found.origin}", *(f"- {note}" for note in found.notes)]
    return "\n".join(lines) + "\n"


def _check(arguments: argparse.Namespace) -> str:
    from workflow.measured_page import fill
    from workflow.plan.calibration import read_calibration
    from workflow.plan.check import PART, check_text, compare, outside
    from workflow.plan.project import Project

    project = Project(Path(), arguments.configfile)
    calibration = read_calibration(arguments.calibration or PLACE)
    found = compare(project, arguments.targets, calibration)
    if arguments.into is not None:
        fill(arguments.into, {PART: check_text(found, calibration, markdown=True)})
    text = check_text(found, calibration, markdown=arguments.markdown)
    if arguments.within is not None and (wrong := outside(found, arguments.within)):
        raise PlanError(
            f"not within a factor of {arguments.within:g}: {'; '.join(wrong)}; either the machine "
            f"was busy, or the calibration is another device's\n\n{text}"
        )
    return text


def _found(arguments: argparse.Namespace) -> Calibration | None:
    """The calibration that was asked for; the usual one if it exists; else None."""
    from workflow.plan.calibration import read_calibration

    if arguments.calibration is None and not PLACE.is_file():
        return None
    return read_calibration(arguments.calibration or PLACE)

"""``rst``: the command line, for the workflow's rules and for users.

Each command takes the path of one cell and the settings of that cell, as flags or as one JSON
document (``--settings``). ``--processes N`` distributes a cell over N GPUs of a node through
``torchrun``; results change by rounding only. A complete cell file with the same settings, images
and models is kept.

Exit status: 0 the cell is complete; 1 it failed; 2 the command line is wrong; 70 it diverged (a
loss, a weight or a logit is not finite); 75 it was preempted (SIGTERM), and the same command
continues it; 130 it was interrupted by Ctrl-C.
"""

from __future__ import annotations

import argparse
import linecache
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from rst_core.job.commands import COMMANDS, parser
from rst_core.job.flags import UsageError
from rst_core.job.lease import LeaseEntry, held
from rst_core.job.log import log, show_log
from rst_core.job.paths import checkpoints, lease_path
from rst_core.job.preemption import PREEMPTED, Preempted, Preemption
from rst_core.job.recipe import Recipe

#: Exit status of a cell with a number that is not finite (EX_SOFTWARE).
DIVERGED = 70
#: Exit status after Ctrl-C, as a shell has it.
INTERRUPTED = 130
#: Set for the processes that share a cell: the lease entry of the one that started them.
_LEASE = "RST_LEASE"
_PACKAGE = Path(__file__).parents[1]


def _spread(words: list[str], processes: int, entry: LeaseEntry) -> int:
    """Run the same command in several processes of this node; the exit status is theirs."""
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ[_LEASE] = f"{entry.generation} {entry.token} {entry.folder.absolute()}"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # What torchrun --standalone does, but in this process, which so learns their exit status.
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=entry.token,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "rst_core", *words)
    except SignalException:
        return PREEMPTED  # it has passed the signal on, and waited for them to save
    except ChildFailedError as error:
        codes = {failure.exitcode for failure in error.failures.values()}
        if DIVERGED in codes:
            return DIVERGED
        return PREEMPTED if codes == {PREEMPTED} else 1
    finally:
        del os.environ[_LEASE]
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run one command; every way out is a status and at most one sentence."""
    words = sys.argv[1:] if argv is None else argv
    preemption = Preemption()
    arguments = parser(__doc__).parse_args(words)
    if getattr(arguments, "device", None):
        os.environ["RST_DEVICE"] = arguments.device

    def make() -> int:
        with preemption.on_sigterm():
            return _run(words, arguments, preemption)

    saved = "; rerun the same command to continue from the last checkpoint"
    return ended(arguments.command, make, saved)


def ended(command: str, make: Callable[[], int], after_interrupt: str = "") -> int:
    """How a command ends, whatever is raised: a status, and at most one sentence."""
    show_log()
    try:
        return make()
    except Preempted as preempted:
        log.info("rst %s: %s", command, preempted)
        return PREEMPTED
    except KeyboardInterrupt:
        log.info("rst %s: interrupted%s", command, after_interrupt)
        return INTERRUPTED
    except Exception as error:
        return _failed(command, error)


def _failed(command: str, error: Exception) -> int:
    """Print an error to stderr, from every process: the log is the first one's alone."""
    sentence = f"rst {command}: {error}"
    if type(error).__name__ == "OutOfMemoryError":  # torch's
        first = str(error).partition("\n")[0].partition(". ")[0]
        sentence = (
            f"rst {command}: {first}; lower batch_size of a training or attack_batch_size of "
            "attacks, spread the cell over more GPUs, or ask for larger ones"
        )
    elif not _own(error):
        text = (str(error).strip().splitlines() or ["no reason given"])[0]
        sentence = (
            f"rst {command}: unexpected {type(error).__name__}: {text}; the traceback is above"
        )
        traceback.print_exception(error)
    print(sentence, file=sys.stderr, flush=True)
    if isinstance(error, UsageError):
        return 2
    # By its name: the class is in a module that loads torch.
    return DIVERGED if type(error).__name__ == "DivergedError" else 1


def _own(error: Exception) -> bool:
    """Whether its text is a sentence: of a ``raise`` of this package, or of the system."""
    if isinstance(error, OSError):
        return True
    last = traceback.extract_tb(error.__traceback__)[-1]
    line = linecache.getline(last.filename, last.lineno or 0).strip()
    ours = Path(last.filename).is_relative_to(_PACKAGE) and line.startswith("raise")
    return ours and isinstance(error, ValueError | RuntimeError | ImportError)


def _run(words: list[str], arguments: argparse.Namespace, preemption: Preemption) -> int:
    """Make what is asked for, unless it is there already: that costs neither torch nor a lease."""
    command = COMMANDS[arguments.command]
    if command.do:
        return command.do(arguments)
    job = command.job(arguments)
    if given := os.environ.get(_LEASE):
        generation, token, folder = given.split(" ", 2)
        preemption.lease_lost = LeaseEntry(Path(folder), int(generation), token).lost
        return _make(job, arguments, preemption)
    if job.reuse_outputs():
        return 0
    if os.environ.get("RANK", "0") != "0":  # the first process holds the lease
        return _make(job, arguments, preemption)
    with held(lease_path(job.root, job.cells[0]), within=checkpoints(job.root)) as (entry, waited):
        preemption.lease_lost = entry.lost
        if waited and job.reuse_outputs():
            return 0
        if arguments.processes > 1 and "TORCHELASTIC_RUN_ID" not in os.environ:
            return _spread(words, arguments.processes, entry)
        return _make(job, arguments, preemption)


def _make(recipe: Recipe, arguments: argparse.Namespace, preemption: Preemption) -> int:
    import torch

    from rst_core.device.distributed import process_group
    from rst_core.job.cells import make

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    with process_group():
        make(recipe, workers=arguments.workers, preemption=preemption)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m measurements.paper_scale``: work on the run, for a while.

Exit status: 0 everything that this machine can make is made; 75 the same command continues;
1 it failed, for a reason of one sentence. docs/paper-scale.md has the commands of a lease.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from measurements.paper_scale import parcel
from measurements.paper_scale.scale import SCALES
from measurements.paper_scale.work import Options, Work
from rst_core.session import UNFINISHED


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="paper_scale", description=__doc__)
    top.add_argument("--scale", choices=list(SCALES), default="paper", help="default: %(default)s")
    top.add_argument(
        "--folder", type=Path, help="of everything that is made (default: results/SCALE_scale)"
    )
    top.add_argument(
        "--archive", type=Path, default=Path("data/cifar10_jpeg.tar.xz"),
        help="tar of train/<class>/NNNN.jpg and test/… (default: %(default)s)",
    )  # fmt: skip
    top.add_argument("--out", type=Path, help="folder for parcels of what is finished")
    top.add_argument("--parcels", type=Path, help="folder of an earlier machine's, to go on from")
    top.add_argument(
        "--budget", type=float, default=570, help="seconds of this call (default: %(default)s)"
    )
    top.add_argument(
        "--total", type=float, default=1500,
        help="seconds of all calls on this machine, for which the first of them makes the "
        "schedule (default: %(default)s)",
    )  # fmt: skip
    top.add_argument(
        "--until", type=int, choices=(2, 3, 4), default=3,
        help="stage up to which everything is to fit into --total (default: %(default)s)",
    )  # fmt: skip
    top.add_argument(
        "--stages", type=int, nargs="+", choices=(1, 2, 3, 4), default=[1, 2, 3, 4],
        help="stages to work on; the first is always looked at (default: all)",
    )  # fmt: skip
    top.add_argument(
        "--parcel-mib", type=float, default=parcel.LIMIT / 2**20,
        help="most that all parcels may weigh (default: %(default)g)",
    )  # fmt: skip
    top.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, default=True,
        help="try torch.compile in stage 1, and use it where it pays (default: yes)",
    )  # fmt: skip
    return top


def main(argv: list[str] | None = None) -> int:
    """One call; see the top of this module for the exit status."""
    arguments = parser().parse_args(argv)
    folder = arguments.folder or Path("results") / f"{arguments.scale}_scale"
    options = Options(
        folder=folder,
        archive=arguments.archive,
        out=arguments.out,
        budget=arguments.budget,
        total=arguments.total,
        until=arguments.until,
        stages=tuple(arguments.stages),
        parcel_bytes=int(arguments.parcel_mib * 2**20),
        compiling=arguments.compile,
    )
    try:
        if arguments.parcels is not None:
            parcel.unpack(arguments.parcels, folder)
        return 0 if Work(SCALES[arguments.scale], options).run() else UNFINISHED
    except (ValueError, OSError, RuntimeError) as error:
        print(f"paper_scale: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())

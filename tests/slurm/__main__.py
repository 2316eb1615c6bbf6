"""The test cluster by hand.

python -m tests.slurm start     # prints the line that points a shell at it
python -m tests.slurm status
python -m tests.slurm stop      # ends its processes and removes the folder
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tests.slurm.cluster import FOLDER, Cluster
from tests.slurm.packages import ClusterError


def main(argv: list[str] | None = None) -> int:
    """Run one command; expected failures end in one sentence and exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.slurm", allow_abbrev=False)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="default: %(default)s")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("start", help="start the cluster, and say how to point a shell at it")
    commands.add_parser("status", help="say what is up")
    commands.add_parser("stop", help="end its processes and remove its folder")
    arguments = parser.parse_args(argv)
    cluster = Cluster(arguments.folder)
    try:
        if arguments.command == "start":
            cluster.start()
            print(f"export SLURM_CONF={cluster.folder}/slurm.conf PATH={cluster.folder}/bin:$PATH")
        elif arguments.command == "stop":
            cluster.stop()
        else:
            print(cluster.status())
    except (ClusterError, OSError, subprocess.SubprocessError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

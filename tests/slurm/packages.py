"""The Debian packages of the test cluster."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.slurm.configuration import CLIENTS

#: Where daemons are, which is not on everybody's PATH.
SBIN = "/usr/sbin:/sbin"
_PACKAGES = ("munge", "mariadb-server", "slurmdbd", "slurmctld", "slurmd", "slurm-client")
_PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd")


class ClusterError(RuntimeError):
    """The cluster cannot be what is asked; the message is one sentence."""


def install() -> None:
    """Install what is missing where that is possible.

    Raises:
        ClusterError: naming what is missing where it is not.
    """
    if os.geteuid() != 0:
        raise ClusterError(
            "the cluster's daemons need root, to start jobs and to make device nodes"
        )
    # Of two clusters that start at the same time, one waits until the other has installed all.
    turn = Path(tempfile.gettempdir()) / "rst-cluster-packages.lock"
    with turn.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install()
    turn.unlink(missing_ok=True)


def _install() -> None:
    path = f"{os.environ.get('PATH', os.defpath)}:{SBIN}"
    missing = [p for p in (*_PROGRAMS, *CLIENTS) if not shutil.which(p, path=path)]
    if not missing:
        return
    packages = " ".join(_PACKAGES)
    if not shutil.which("apt-get"):
        raise ClusterError(
            f"{', '.join(missing)} not found and this is no Debian; "
            f"install what Debian calls {packages}"
        )
    quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}, "capture_output": True}
    for words in (["update"], ["install", "--yes", "--no-install-recommends", *_PACKAGES]):
        done = subprocess.run(["apt-get", *words], text=True, check=False, **quiet)  # type: ignore[call-overload]
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ClusterError(f"{packages} could not be installed: {reason}")

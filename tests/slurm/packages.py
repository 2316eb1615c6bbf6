"""The Debian packages of the test cluster."""

from __future__ import annotations

import os
import shutil
import subprocess

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
    path = f"{os.environ.get('PATH', os.defpath)}:{SBIN}"
    missing = [p for p in (*_PROGRAMS, *CLIENTS) if not shutil.which(p, path=path)]
    if os.geteuid() != 0:
        raise ClusterError(
            "the cluster's daemons need root, to start jobs and to make device nodes"
        )
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

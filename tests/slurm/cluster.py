"""A SLURM of one machine in one temporary folder: what ``make test-slurm`` runs on.

munge, MariaDB, slurmdbd, slurmctld and slurmd, with accounting and two pretended GPUs, as root
on Debian, without systemd and without cgroups. Configuration, state, sockets, keys and device
nodes lie in the folder and every port is a free one, so that a SLURM that is installed and
running is neither touched nor seen.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from tests.slurm.configuration import ACCOUNT, PARTITION, ports, write_configuration
from tests.slurm.packages import SBIN, ClusterError, install
from tests.slurm.processes import alive, command_line, listens, of_jobs, tail, until

#: Short, because the paths of sockets in it may have 107 characters at most.
FOLDER = Path("/tmp/rst-cluster")
#: Minutes that a step of the start may take on a busy machine of two cores.
PATIENCE = 3

_DAEMONS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "slurmd2")
_OWNERS = {"munged": "munge", "mariadbd": "mysql"}


class Cluster:
    """The daemons and their folder.

    Attributes:
        folder: everything the cluster consists of.
        bare: whether it has no accounting, forgets jobs at once, and has two nodes of four GPUs.
        environment: variables that point SLURM's commands at it.
    """

    def __init__(self, folder: Path = FOLDER, *, bare: bool = False) -> None:
        self.folder, self.bare = folder, bare
        # Its own commands first: the executor plugin starts srun without SLURM_CONF.
        path = os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", os.defpath)])
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": path}

    # -- the whole ----------------------------------------------------------------------

    def start(self) -> None:
        """Write the configuration, start all daemons and wait until a job could run.

        Raises:
            ClusterError: saying what is missing, or which daemon did not start.
        """
        if self.folder.exists():
            raise ClusterError(f"{self.folder} exists; stop that cluster first")
        install()
        self.folder.mkdir(mode=0o755)
        try:
            write_configuration(self.folder, bare=self.bare)
            self.start_daemon("munged")
            self.wait_for("munged", lambda: (self.folder / "munge/socket").exists())
            if not self.bare:
                self._start_accounting()
            for daemon in ("slurmctld", "slurmd", *(("slurmd2",) if self.bare else ())):
                self.start_daemon(daemon)
            self.wait_idle()
        except BaseException:
            self.stop(keep_logs=True)
            raise

    def stop(self, *, keep_logs: bool = False) -> None:
        """End every process of the cluster and of its jobs, and remove the folder.

        Raises:
            ClusterError: if the folder is not a cluster's.
        """
        if not self.folder.exists():
            return
        if not (self.folder / "pids").is_dir():
            raise ClusterError(f"{self.folder} is not a cluster's folder; nothing was removed")
        for daemon in reversed(_DAEMONS):
            if daemon == "slurmctld":  # slurmd is gone, nothing starts any more
                self.signal_jobs()
            self.stop_daemon(daemon)
        if keep_logs:
            for log in sorted((self.folder / "log").glob("*.log")):
                print(f"== {log.name}\n{tail(log)}", file=sys.stderr)
        shutil.rmtree(self.folder)

    def status(self) -> str:
        """A line for every daemon, and the node as SLURM sees it."""
        if not self.folder.exists():
            return f"no cluster in {self.folder}"
        lines = [f"{d}: {'up' if self.is_up(d) else 'down'}" for d in _DAEMONS]
        for command in ("sinfo --long --Node", "sinfo --list-reasons", "squeue --long"):
            try:
                lines.append(self.run(*command.split()).strip())
            except ClusterError as error:
                lines.append(str(error))
        return "\n".join(lines)

    # -- daemons ------------------------------------------------------------------------

    def start_daemon(self, daemon: str) -> None:
        """Start one daemon in a session of its own; what it prints is in log/."""
        with (self.folder / "log" / f"{daemon}.log").open("ab") as log:
            process = subprocess.Popen(
                self._commands()[daemon],
                env=self._clean_environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=_OWNERS.get(daemon, "root"),
                group=_OWNERS.get(daemon, "root"),
            )
        (self.folder / "pids" / daemon).write_text(str(process.pid))

    def stop_daemon(self, daemon: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End one daemon and wait until it is gone; after a while by force."""
        pid = self._pid(daemon)
        if pid is not None:
            for patience in (20, None):
                os.kill(pid, how if patience else signal.SIGKILL)
                if until(lambda: not alive(pid), patience or 60):
                    break
        (self.folder / "pids" / daemon).unlink(missing_ok=True)

    def is_up(self, daemon: str) -> bool:
        """Whether a daemon's process exists."""
        return self._pid(daemon) is not None

    def signal_jobs(self, word: str = "", how: signal.Signals = signal.SIGKILL) -> int:
        """Signal every process of every job that has a word in its command line; how many.

        Without a word, killing them is what the end of a node does.
        """
        pids = [pid for pid in of_jobs(self.folder) if word in command_line(pid)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        return len(pids)

    def wait_idle(self) -> None:
        """Wait until the controller answers and the node takes jobs."""
        self.wait_for("slurmctld", lambda: self.node_state() == "idle")

    def tend(self) -> None:
        """What is to be done now and then while a workflow runs.

        A daemon that ended by itself is started again, as systemd does: Debian's slurmctld was
        seen to crash when a node came back. It then finds the job that it had just started twice,
        holds it and drains the node, which is for an administrator to undo. Jobs that SLURM has
        requeued wait for seconds instead of two minutes; not less, for a node that came back is
        still clearing up, and SLURM was seen to lose the end of a job that started meanwhile.
        """
        for daemon in _DAEMONS:
            if (self.folder / "pids" / daemon).exists() and not self.is_up(daemon):
                self.start_daemon(daemon)
        with contextlib.suppress(ClusterError):
            drained = self.run("sinfo", "--noheader", "--Node", "--states=drain", "--format=%N")
            for node in drained.split():
                self.run("scontrol", "update", f"NodeName={node}", "State=RESUME")
            waiting = self.run("squeue", "--noheader", "--states=PENDING", "--format=%A %S %r")
            for line in waiting.splitlines():
                number, start, reason = line.split(" ", 2)
                if reason == "launch failed requeued held":
                    self.run("scontrol", "release", number)
                if reason == "BeginTime" and _seconds_until(start) > 20:
                    self.run("scontrol", "update", f"JobId={number}", "StartTime=now+8seconds")

    def heal(self) -> None:
        """Bring back daemons that are down, and end all jobs."""
        for daemon in _DAEMONS:
            missing = ("mariadbd", "slurmdbd") if self.bare else ("slurmd2",)
            if daemon not in missing and not self.is_up(daemon):
                self.start_daemon(daemon)
        self.wait_for("slurmctld", lambda: self.node_state() not in ("", "unknown"))
        self.run("scancel", "--user=root")
        self.signal_jobs()
        self.wait_idle()

    def node_state(self) -> str:
        """What sinfo calls the state of the node; empty while the controller is away."""
        try:
            return self.run(
                "sinfo", "--noheader", f"--partition={PARTITION}", "--format=%T"
            ).strip()
        except ClusterError:
            return ""

    def run(self, *command: str, timeout: float = 60) -> str:
        """Output of one of SLURM's commands, each of which might wait for ever.

        Raises:
            ClusterError: if it fails or does not answer in time.
        """
        try:
            done = subprocess.run(
                command,
                env=self._clean_environment(),
                capture_output=True,
                text=True,
                timeout=timeout,
                check=True,
            )
        except subprocess.TimeoutExpired:
            raise ClusterError(f"{command[0]} did not answer within {timeout:g} s") from None
        except subprocess.CalledProcessError as error:
            raise ClusterError(f"{' '.join(command)}: {error.stderr.strip()}") from None
        return done.stdout

    # -- inside -------------------------------------------------------------------------

    def _clean_environment(self) -> dict[str, str]:
        """This process's variables without another SLURM's, and with this cluster's."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH"))}
        return kept | self.environment | {"PATH": f"{self.environment['PATH']}:{SBIN}"}

    def _commands(self) -> dict[str, list[str]]:
        at, port = self.folder, ports(self.folder)["mariadbd"]
        munge = [f"--{n}={at}/munge/{n.split('-')[0]}" for n in ("key-file", "socket", "seed-file")]
        first = ["-N", "n1"] if self.bare else []
        database = [f"--{n}={at}/database/{n}" for n in ("socket", "pid-file")]
        return {
            "munged": ["munged", "--foreground", *munge, f"--pid-file={at}/munge/pid",
                       f"--log-file={at}/munge/log"],
            "mariadbd": ["mariadbd", "--no-defaults", f"--datadir={at}/database/data", *database,
                         "--bind-address=127.0.0.1", f"--port={port}",
                         f"--init-file={at}/database/accounts.sql",
                         "--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900"],
            "slurmdbd": ["slurmdbd", "-D"],
            "slurmctld": ["slurmctld", "-D", "-f", f"{at}/slurm.conf"],
            "slurmd": ["slurmd", "-D", "-f", f"{at}/slurm.conf", *first],
            "slurmd2": ["slurmd", "-D", "-f", f"{at}/slurm.conf", "-N", "n2"],
        }  # fmt: skip

    def _start_accounting(self) -> None:
        self.start_daemon("mariadbd")
        self.wait_for("mariadbd", lambda: listens(ports(self.folder)["mariadbd"]))
        self.start_daemon("slurmdbd")
        self.wait_for("slurmdbd", lambda: listens(ports(self.folder)["slurmdbd"]))
        self.wait_for("slurmdbd", self._account)

    def _account(self) -> bool:
        """Enter cluster, account and user; False while slurmdbd does not answer yet."""
        try:
            known = self.run("sacctmgr", "-nP", "show", "cluster", timeout=20)
            if not known.strip():
                self.run("sacctmgr", "-i", "add", "cluster", "rst", timeout=20)
                self.run("sacctmgr", "-i", "add", "account", ACCOUNT, timeout=20)
                self.run("sacctmgr", "-i", "add", "user", "root", f"account={ACCOUNT}", timeout=20)
        except ClusterError:
            return False
        return True

    def wait_for(self, daemon: str, ready: Callable[[], bool]) -> None:
        """Wait until something is so while a daemon runs.

        Raises:
            ClusterError: with the end of the daemon's log, if it is not so in time.
        """
        if not until(lambda: ready() or not self.is_up(daemon), PATIENCE * 60) or not ready():
            log = tail(self.folder / "log" / f"{daemon}.log")
            raise ClusterError(
                f"{daemon} was not ready within {PATIENCE} minutes; its log ends with:\n{log}"
            )

    def _pid(self, daemon: str) -> int | None:
        file = self.folder / "pids" / daemon
        pid = int(file.read_text()) if file.exists() else None
        return pid if pid is not None and alive(pid) else None


def _seconds_until(time: str) -> float:
    """Seconds until a time of SLURM's commands; none where there is none (``N/A``)."""
    with contextlib.suppress(ValueError):
        return (datetime.fromisoformat(time) - datetime.now()).total_seconds()
    return 0.0

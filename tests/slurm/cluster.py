"""A SLURM of one machine in one temporary folder: what ``make test-slurm`` runs on.

    python -m tests.slurm.cluster start     # prints the line that points a shell at it
    python -m tests.slurm.cluster status
    python -m tests.slurm.cluster stop      # ends its processes and removes the folder

munge, MariaDB, slurmdbd, slurmctld and slurmd, with accounting and two pretended GPUs, as root
on Debian, without systemd and without cgroups. Configuration, state, sockets, keys and device
nodes lie in the folder and every port is a free one, so that a SLURM that is installed and
running is neither touched nor seen.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

#: Short, because the paths of sockets in it may have 107 characters at most.
FOLDER = Path("/tmp/rst-cluster")
PARTITION, ACCOUNT = "gpu", "rst"
#: Minutes that a step of the start may take on a busy machine of two cores.
PATIENCE = 3

_PACKAGES = ("munge", "mariadb-server", "slurmdbd", "slurmctld", "slurmd", "slurm-client")
_PROGRAMS = ("munged", "mariadbd", "mariadb-install-db", "slurmdbd", "slurmctld", "slurmd")
_CLIENTS = (
    "sbatch", "srun", "scancel", "scontrol", "squeue", "sinfo", "sacct", "sacctmgr", "sshare",
)  # fmt: skip
_SBIN = "/usr/sbin:/sbin"
_DAEMONS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd")


class ClusterError(RuntimeError):
    """The cluster cannot be what is asked; the message is one sentence."""


class Cluster:
    """The daemons and their folder.

    Attributes:
        folder: everything the cluster consists of.
        environment: variables that point SLURM's commands at it.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
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
        _install()
        self.folder.mkdir(mode=0o755)
        try:
            self._configure()
            for daemon in ("munged", "mariadbd"):
                self.start_daemon(daemon)
            self.wait_for("munged", lambda: (self.folder / "munge/socket").exists())
            self.wait_for("mariadbd", lambda: _listens(self._ports["mariadbd"]))
            self.start_daemon("slurmdbd")
            self.wait_for("slurmdbd", lambda: _listens(self._ports["slurmdbd"]))
            self.wait_for("slurmdbd", self._account)
            for daemon in ("slurmctld", "slurmd"):
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
                print(f"== {log.name}\n{_tail(log)}", file=sys.stderr)
        shutil.rmtree(self.folder)

    def status(self) -> str:
        """A line for every daemon, and the node as SLURM sees it."""
        if not self.folder.exists():
            return f"no cluster in {self.folder}"
        lines = [f"{d}: {'up' if self.is_up(d) else 'down'}" for d in _DAEMONS]
        if self.is_up("slurmctld"):
            lines.append(self.run("sinfo", "--long", "--Node").strip())
            lines.append(self.run("squeue").strip())
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
                if _until(lambda: not _alive(pid), patience or 60):
                    break
        (self.folder / "pids" / daemon).unlink(missing_ok=True)

    def is_up(self, daemon: str) -> bool:
        """Whether a daemon's process exists."""
        return self._pid(daemon) is not None

    def signal_jobs(self, word: str = "", how: signal.Signals = signal.SIGKILL) -> int:
        """Signal every process of every job that has a word in its command line; how many.

        Without a word, killing them is what the end of a node does.
        """
        pids = [pid for pid in self._job_processes() if word in _command_line(pid)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        return len(pids)

    def wait_idle(self) -> None:
        """Wait until the controller answers and the node takes jobs."""
        self.wait_for("slurmctld", lambda: self.node_state() == "idle")

    def release(self) -> None:
        """Let jobs that SLURM has requeued start now: it makes them wait two minutes."""
        with contextlib.suppress(ClusterError):
            waiting = self.run("squeue", "--noheader", "--states=PENDING", "--format=%A %r")
            for line in waiting.splitlines():
                number, reason = line.split(" ", 1)
                if reason == "BeginTime":
                    self.run("scontrol", "update", f"JobId={number}", "StartTime=now")

    def heal(self) -> None:
        """Bring back daemons that are down, and end all jobs."""
        for daemon in _DAEMONS:
            if not self.is_up(daemon):
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
        return kept | self.environment | {"PATH": f"{self.environment['PATH']}:{_SBIN}"}

    @property
    def _ports(self) -> dict[str, int]:
        ports: dict[str, int] = json.loads((self.folder / "ports.json").read_text())
        return ports

    def _commands(self) -> dict[str, list[str]]:
        at, port = self.folder, self._ports["mariadbd"]
        munge = [f"--{n}={at}/munge/{n.split('-')[0]}" for n in ("key-file", "socket", "seed-file")]
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
            "slurmd": ["slurmd", "-D", "-f", f"{at}/slurm.conf"],
        }  # fmt: skip

    def _configure(self) -> None:
        at = self.folder
        for name in ("pids", "log", "state", "spool", "bin"):
            (at / name).mkdir(mode=0o755)
        for name, owner in (("munge", "munge"), ("database", "mysql")):
            (at / name).mkdir(mode=0o755)
            shutil.chown(at / name, owner, owner)
        names = ("mariadbd", "slurmdbd", "slurmctld", "slurmd")
        (at / "ports.json").write_text(json.dumps(dict(zip(names, _free_ports(4), strict=True))))
        password = secrets.token_hex(16)
        _write(at / "munge/key", secrets.token_bytes(128), "munge")
        _write(at / "database/accounts.sql", _DATABASE.format(password=password).encode(), "mysql")
        values = {
            "at": at,
            "node": socket.gethostname().split(".")[0],
            "password": password,
            "partition": PARTITION,
            **self._ports,
        }
        _write(at / "slurmdbd.conf", _SLURMDBD_CONF.format(**values).encode())
        _write(at / "slurm.conf", _SLURM_CONF.format(**values).encode(), mode=0o644)
        _write(at / "gres.conf", _GRES_CONF.format(**values).encode(), mode=0o644)
        for name in _CLIENTS:
            command = f'#!/bin/sh\nSLURM_CONF={at}/slurm.conf exec {shutil.which(name)} "$@"\n'
            _write(at / "bin" / name, command.encode(), mode=0o755)
        for gpu in ("gpu0", "gpu1"):  # the numbers of /dev/null
            os.mknod(at / gpu, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        install = [
            "mariadb-install-db",
            "--no-defaults",
            "--user=mysql",
            "--skip-test-db",
            "--force",
        ]
        with (at / "log" / "mariadb-install-db.log").open("wb") as log:
            command = [*install, f"--datadir={at}/database/data"]
            subprocess.run(command, stdout=log, stderr=log, check=True)

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
        if not _until(lambda: ready() or not self.is_up(daemon), PATIENCE * 60) or not ready():
            log = _tail(self.folder / "log" / f"{daemon}.log")
            raise ClusterError(
                f"{daemon} was not ready within {PATIENCE} minutes; its log ends with:\n{log}"
            )

    def _pid(self, daemon: str) -> int | None:
        file = self.folder / "pids" / daemon
        pid = int(file.read_text()) if file.exists() else None
        return pid if pid is not None and _alive(pid) else None

    def _job_processes(self) -> list[int]:
        """Processes of jobs: their environment names this cluster and a job; and their steps'."""
        found = []
        mine = f"SLURM_CONF={self.folder}/slurm.conf"
        for process in Path("/proc").glob("[0-9]*"):
            try:
                variables = (process / "environ").read_bytes().decode(errors="replace").split("\0")
                step = (process / "comm").read_text().startswith("slurmstepd")
            except (OSError, ProcessLookupError):
                continue
            of_job = step or any(v.startswith("SLURM_JOB_ID=") for v in variables)
            if mine in variables and of_job:
                found.append(int(process.name))
        return found


_OWNERS = {"munged": "munge", "mariadbd": "mysql"}

_DATABASE = """\
CREATE DATABASE IF NOT EXISTS accounting;
CREATE USER IF NOT EXISTS 'slurm'@'127.0.0.1' IDENTIFIED BY '{password}';
GRANT ALL ON accounting.* TO 'slurm'@'127.0.0.1';
"""

_SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={at}/munge/socket
DbdHost=localhost
DbdPort={slurmdbd}
SlurmUser=root
LogFile={at}/log/slurmdbd.own.log
PidFile={at}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={mariadbd}
StorageUser=slurm
StoragePass={password}
StorageLoc=accounting
"""

# A job that is requeued may start again at once, and a node that does not answer is down after
# seconds: minutes are for real clusters. config_overrides pretends more CPUs than there are.
_SLURM_CONF = """\
ClusterName=rst
SlurmctldHost={node}(127.0.0.1)
SlurmctldPort={slurmctld}
SlurmdPort={slurmd}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={at}/munge/socket
CredType=cred/munge
StateSaveLocation={at}/state
SlurmdSpoolDir={at}/spool
SlurmctldPidFile={at}/slurmctld.pid
SlurmdPidFile={at}/slurmd.pid
SlurmctldLogFile={at}/log/slurmctld.own.log
SlurmdLogFile={at}/log/slurmd.own.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={slurmdbd}
AccountingStoragePass={at}/munge/socket
AccountingStorageEnforce=associations
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=5,bf_interval=5
MpiDefault=none
GresTypes=gpu
JobRequeue=1
ReturnToService=2
SlurmdTimeout=15
SlurmctldTimeout=30
MessageTimeout=10
KillWait=5
MinJobAge=300
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={node} NodeAddr=127.0.0.1 CPUs=8 RealMemory=64000 Gres=gpu:2
PartitionName={partition} Nodes={node} Default=YES State=UP MaxTime=INFINITE PriorityTier=1
PartitionName=urgent Nodes={node} State=UP MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF
"""

_GRES_CONF = """\
AutoDetect=off
Name=gpu File={at}/gpu[0-1]
"""


def _install() -> None:
    """Install what is missing where that is possible.

    Raises:
        ClusterError: naming what is missing where it is not.
    """
    path = f"{os.environ.get('PATH', os.defpath)}:{_SBIN}"
    missing = [p for p in (*_PROGRAMS, *_CLIENTS) if not shutil.which(p, path=path)]
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


def _write(path: Path, content: bytes, owner: str = "root", mode: int = 0o600) -> None:
    path.touch(mode=mode)
    path.chmod(mode)
    path.write_bytes(content)
    shutil.chown(path, owner, owner)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _listens(port: int) -> bool:
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


def _alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (OSError, UnicodeDecodeError):
        return ""


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; False if it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True


def _tail(file: Path, lines: int = 40) -> str:
    text = file.read_text(errors="replace") if file.exists() else ""
    return "\n".join(text.splitlines()[-lines:])


def main(argv: list[str] | None = None) -> int:
    """Run one command; expected failures end in one sentence and exit status 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["start", "stop", "status"])
    parser.add_argument("--folder", type=Path, default=FOLDER, help="default: %(default)s")
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

"""What the test cluster's daemons read: written once, into its folder."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import stat
import subprocess
from pathlib import Path

PARTITION, ACCOUNT = "gpu", "rst"
#: A partition whose only node has no GPU, and never answers.
NO_GPUS = "plain"
CLIENTS = (
    "sbatch", "srun", "scancel", "scontrol", "squeue", "sinfo", "sacct", "sacctmgr", "sshare",
)  # fmt: skip


def write_configuration(at: Path, *, bare: bool = False) -> None:
    """Fill a cluster's empty folder: settings, keys, pretended GPUs, an empty database.

    Args:
        at: its folder.
        bare: without accounting, with a controller that forgets a job after seconds, and with two
            nodes of four GPUs instead of one of two.

    Raises:
        OSError, subprocess.SubprocessError: if the machine does not let it.
    """
    for name in ("pids", "log", "state", "spool", "bin"):
        (at / name).mkdir(mode=0o755)
    for name, owner in (("munge", "munge"), ("database", "mysql")):
        (at / name).mkdir(mode=0o755)
        shutil.chown(at / name, owner, owner)
    names = ("mariadbd", "slurmdbd", "slurmctld", "slurmd", "slurmd2")
    (at / "ports.json").write_text(json.dumps(dict(zip(names, _free_ports(5), strict=True))))
    password = secrets.token_hex(16)
    _write(at / "munge/key", secrets.token_bytes(128), "munge")
    _write(at / "database/accounts.sql", _DATABASE.format(password=password).encode(), "mysql")
    values = {
        "at": at,
        "node": socket.gethostname().split(".")[0],
        "password": password,
        "partition": PARTITION,
        "no_gpus": NO_GPUS,
        "forget": 2 if bare else 300,
        **ports(at),
    }
    values["accounting"] = "" if bare else _ACCOUNTING.format(**values)
    values["nodes"] = (_TWO_NODES if bare else _ONE_NODE).format(**values)
    values["names"] = "n1,n2" if bare else values["node"]
    values["last_gpu"] = 3 if bare else 1
    _write(at / "slurmdbd.conf", _SLURMDBD_CONF.format(**values).encode())
    _write(at / "slurm.conf", _SLURM_CONF.format(**values).encode(), mode=0o644)
    _write(at / "gres.conf", _GRES_CONF.format(**values).encode(), mode=0o644)
    for name in CLIENTS:
        command = f'#!/bin/sh\nSLURM_CONF={at}/slurm.conf exec {shutil.which(name)} "$@"\n'
        _write(at / "bin" / name, command.encode(), mode=0o755)
    for gpu in ("gpu0", "gpu1", "gpu2", "gpu3"):  # the numbers of /dev/null
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


def ports(at: Path) -> dict[str, int]:
    """The port of each daemon that listens on one."""
    found: dict[str, int] = json.loads((at / "ports.json").read_text())
    return found


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
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={at}/munge/socket
CredType=cred/munge
StateSaveLocation={at}/state
SlurmdSpoolDir={at}/spool/%n
SlurmctldPidFile={at}/slurmctld.pid
SlurmdPidFile={at}/slurmd.%n.pid
SlurmctldLogFile={at}/log/slurmctld.own.log
SlurmdLogFile={at}/log/slurmd.%n.own.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
{accounting}SelectType=select/cons_tres
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
MinJobAge={forget}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
{nodes}NodeName={no_gpus} NodeAddr=127.0.0.2 CPUs=1 State=DOWN
PartitionName={partition} Nodes={names} Default=YES State=UP MaxTime=INFINITE PriorityTier=1
PartitionName=urgent Nodes={names} State=UP MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF
PartitionName={no_gpus} Nodes={no_gpus} State=UP
"""

_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={slurmdbd}
AccountingStoragePass={at}/munge/socket
AccountingStorageEnforce=limits
"""

_ONE_NODE = """\
NodeName={node} NodeAddr=127.0.0.1 Port={slurmd} CPUs=8 RealMemory=64000 Gres=gpu:2
"""

_TWO_NODES = """\
NodeName=n1 NodeHostname={node} NodeAddr=127.0.0.1 Port={slurmd} CPUs=8 RealMemory=64000 Gres=gpu:4
NodeName=n2 NodeHostname={node} NodeAddr=127.0.0.1 Port={slurmd2} CPUs=8 RealMemory=64000 Gres=gpu:4
"""

_GRES_CONF = """\
AutoDetect=off
Name=gpu File={at}/gpu[0-{last_gpu}]
"""

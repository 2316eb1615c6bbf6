"""Cells that start warm: asked of a server that has loaded torch (``rst warm COMMAND``).

A cell is a process of its own; most of a short one is ``import torch``. Below ``rst warm`` the
server (:mod:`rst_core.warm_server`) has done that once, and forks for every cell. The command
that was typed, or that a workflow started, stays as the *client*: it passes signals on and
ends as the fork ends, so that whoever started it sees one process with its log and its status.

A fork is what a new process would be as long as the server has done nothing but import: it has
one thread, computes nothing, touches no GPU, and global random generators are seeded anew. What
a process takes from its start and cannot change later (interpreter, source, variables that
libraries read when they are loaded, limits) must be the same for both; else the client does the
work itself, as it does where there is no server, or none any more.

This module is the client's. It imports little, because every cell pays for that.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

#: Commands that a server does: those that make a cell.
CELLS = ("train", "search", "finetune", "attack", "transfer", "features")
#: The variable that names the server's socket.
PLACE = "RST_WARM"
#: How messages begin, and all that a server says: a length, a process, an exit status.
NUMBER = struct.Struct("!i")
#: Variables that say how many threads libraries start.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: How variables begin that the interpreter or a library reads once, when it is loaded.
_READ_ONCE = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "DNNL_", "ONEDNN_", "ATEN_", "TORCH"),
    *("PYTORCH", "PYTHON", "LD_", "GLIBC_", "MALLOC_", "LC_", "LANG", "TZ"),
)


def circumstances() -> dict[str, Any]:
    """What a process takes from its start, each under a word for it; as JSON gives it back."""
    import resource

    def first(*names: str) -> str | None:
        return next((os.environ[name] for name in names if name in os.environ), None)

    umask = os.umask(0o077)
    os.umask(umask)
    omp, blas, mkl = THREADS
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    limits = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]
    found = {
        "interpreter": [sys.version, sys.prefix, list(sys.flags), sys.warnoptions],
        "source": [[str(file), file.stat().st_mtime_ns] for file in sources],
        "number of threads": [first(omp), first(blas, "GOTO_NUM_THREADS", omp), first(mkl, omp)],
        "set of variables that libraries read": {
            name: value
            for name, value in os.environ.items()
            if name.startswith(_READ_ONCE) and name not in THREADS
        },
        "user": [os.getuid(), os.getgid(), umask],
        "set of limits": [
            [resource.getrlimit(limit) for limit in limits],
            [os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0))],
            Path("/proc/self/cgroup").read_text(),
        ],
    }
    as_sent: dict[str, Any] = json.loads(json.dumps(found))
    return as_sent


def exactly(connection: socket.socket, size: int) -> bytes:
    """So many bytes.

    Raises:
        OSError: if the other end is gone before.
    """
    got = b""
    while len(got) < size:
        more = connection.recv(size - len(got))
        if not more:
            raise ConnectionError("the other end is gone")
        got += more
    return got


def _number(server: socket.socket) -> int:
    number: int = NUMBER.unpack(exactly(server, NUMBER.size))[0]
    return number


def _is_for_a_server(words: Sequence[str]) -> bool:
    """Whether words are those of a cell for one process that nothing of rst's own started."""
    parts = [part for word in words for part in word.split("=", 1)]
    processes = {value for flag, value in pairwise(parts) if flag == "--processes"}
    return (
        bool(words)
        and words[0] in CELLS
        and not {"-h", "--help"} & set(words)
        and processes <= {"1"}
        and not any(v in ("RANK", "RST_CLAIM") or v.startswith("TORCHELASTIC_") for v in os.environ)
    )


def made(words: Sequence[str]) -> int | None:
    """Have a command done by the server that the environment names.

    Signals to this process reach the one that works; if that one dies of a signal, so does
    this.

    Args:
        words: of the command, without ``rst``.

    Returns:
        Its exit status; None if the caller is to do it: there is no server, or it is no copy
        of what this process would become, or it died. Then nobody asks again.
    """
    if PLACE not in os.environ or not _is_for_a_server(words):
        return None
    place = os.environ.pop(PLACE)
    with socket.socket(socket.AF_UNIX) as server:
        try:
            request = {
                "circumstances": circumstances(),
                "environment": dict(os.environ),
                "folder": os.getcwd(),
                "argv": [sys.argv[0], *words],
                "path": sys.path,
            }
            content = json.dumps(request).encode()
            server.connect(place)
            socket.send_fds(server, [NUMBER.pack(len(content))], [0, 1, 2])
            server.sendall(content)
            pid = _number(server)
        except OSError:
            return None
        status = _wait(server, pid)
    if status is not None and status < 0:
        with suppress(OSError):  # there is no handler of SIGKILL to take away
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def _wait(server: socket.socket, pid: int) -> int | None:
    """How the fork ended, -n if of signal n; None if the server was lost before."""

    def forward(signum: int, frame: object) -> None:
        # The server does it, because it knows whether that number is still the fork's.
        with suppress(OSError):
            server.send(bytes([signum]))

    before = {}
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):
        signum = getattr(signal, name)
        if signal.getsignal(signum) != signal.SIG_IGN:
            before[signum] = signal.signal(signum, forward)
    try:
        return _number(server)
    except OSError:
        # It saves and leaves; until it has, its lease makes this process wait.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        return None
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)

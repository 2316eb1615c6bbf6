"""The server of ``rst warm COMMAND``, which forks for every cell; :mod:`rst_core.warm` says why.

It ends with COMMAND, in a single thread: one loop waits for clients and for the end of any
process. A fork leaves that loop and makes its cell as the process of a typed command does.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from rst_core.progress import say
from rst_core.warm import NUMBER, PLACE, THREADS, circumstances, exactly

#: Seconds that a client may take to say what it wants; the others wait meanwhile.
_PATIENCE = 10.0
#: Signals that a server has handlers for.
_HANDLED = ("SIGCHLD", "SIGINT", "SIGTERM", "SIGHUP", "SIGTSTP")
#: What a client asked for, and its standard input, output and error.
_Asked = tuple[dict[str, Any], list[int]]


def run(command: Sequence[str], cell: Callable[[list[str]], int]) -> int:
    """Run a command, and fork for every cell that is asked for below it.

    Where forking is not sound (elsewhere than on Linux, or if a library starts threads), or if
    loading fails, the command runs as it would alone.

    Args:
        command: program and arguments.
        cell: makes a cell, from the words after ``rst`` to its exit status.

    Returns:
        The command's exit status, 128 + n if signal n killed it; in a fork the cell's.

    Raises:
        OSError: if the command cannot be started.
    """
    environment, listener, folder, owner = dict(os.environ), None, None, os.getpid()
    try:
        loaded = _load()
        folder = tempfile.mkdtemp(prefix="rst-warm-")  # only its owner may enter
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(os.path.join(folder, "server"))
        listener.listen(128)
        environment[PLACE] = listener.getsockname()
    except Exception as error:  # if something is broken, the cells will say so
        say(f"rst warm: every cell loads for itself: {error}")
        listener = None
    try:
        started = _start(command, environment)
        if listener is None:
            return _status(started.wait())
        server = _Server(started, listener, loaded)
        asked = server.serve()
        if asked is None:
            return _status(started.returncode)
    finally:
        if folder is not None and os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)
    return cell(server.become(*asked))


def _load() -> dict[str, Any]:
    """Import what cells need; not the attack libraries and torchvision, which few do.

    Returns:
        The circumstances that this was done in.

    Raises:
        RuntimeError: if this process cannot be forked soundly.
    """
    if sys.platform != "linux":
        raise RuntimeError("a process that has loaded torch is forked soundly on Linux only")
    # As Snakemake tells a job of one thread. With more, libraries start threads as they are
    # loaded, and a process that has threads must not be forked.
    os.environ.update(dict.fromkeys(THREADS, "1"))
    found = circumstances()
    import rst_core.cells
    import rst_core.streaming  # noqa: F401 - a cell imports it later

    if (threads := len(os.listdir("/proc/self/task"))) != 1:
        raise RuntimeError(f"loading has started {threads - 1} threads")
    gc.collect()
    gc.freeze()  # a collection in a fork would copy the memory that it shares
    return found


def _start(command: Sequence[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start the command; from then on, what would end this process ends the command."""
    started: list[subprocess.Popen[bytes]] = []
    heard: list[int] = []

    def pass_on(signum: int, frame: object) -> None:
        if not started:
            heard.append(signum)
        elif signum != signal.SIGINT:  # a terminal sends that to the command as well
            started[0].send_signal(signum)

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(signum) != signal.SIG_IGN:  # stays ignored, as under nohup
            signal.signal(signum, pass_on)
    started.append(subprocess.Popen(command, env=environment))
    for number in heard:
        pass_on(number, None)
    return started[0]


def _status(returned: int) -> int:
    return returned if returned >= 0 else 128 - returned


class _Server:
    """Forks for clients until the command and all forks have ended.

    Attributes:
        command: what was started.
        listener: where clients connect.
        loaded: the circumstances of this process, which must be a client's, too.
        clients: connections by the process that was forked for them.
    """

    def __init__(
        self, command: subprocess.Popen[bytes], listener: socket.socket, loaded: dict[str, Any]
    ) -> None:
        self.command, self.listener, self.loaded = command, listener, loaded
        self.clients: dict[int, socket.socket] = {}
        self._differed: set[str] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._answer)
        self._awake, self._wake = socket.socketpair()
        for end in (self._awake, self._wake):
            end.setblocking(False)
        self._selector.register(self._awake, selectors.EVENT_READ, self._look)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTSTP, self._pause)

    def serve(self) -> _Asked | None:
        """What was asked for, in the fork that is to do it; None when all have ended."""
        self._look()  # the command may have ended before SIGCHLD was heard
        while self.command.returncode is None or self.clients:
            # One event at a time: it may close what the next one is about.
            for key, _ in self._selector.select()[:1]:
                asked: _Asked | None = key.data()
                if asked is not None:
                    return asked
        return None

    def _pause(self, signum: int, frame: object) -> None:
        """Ctrl-Z does not reach forks, which are no part of the terminal's foreground."""
        self._tell(signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        self._tell(signal.SIGCONT)

    def _tell(self, signum: int) -> None:
        for pid in self.clients:
            os.kill(pid, signum)

    def _look(self) -> None:
        """See which processes have ended."""
        with suppress(BlockingIOError):
            self._awake.recv(4096)
        if self.command.returncode is None and self.command.poll() is not None:
            self._forget(self.listener)
            self._tell(signal.SIGTERM)  # nobody waits for them: they save and leave
        for pid, client in list(self.clients.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self.clients[pid]
                with suppress(OSError):
                    client.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))
                self._forget(client)

    def _forget(self, connection: socket.socket) -> None:
        with suppress(KeyError, ValueError):  # forgotten before
            self._selector.unregister(connection)
        connection.close()

    def _answer(self) -> _Asked | None:
        """Fork for a client; one that is not answered does the work itself."""
        try:
            client, _ = self.listener.accept()
        except OSError:
            return None
        client.settimeout(_PATIENCE)
        files: list[int] = []
        pid = None
        with suppress(OSError, ValueError, KeyError, TypeError, struct.error):
            head, files, _, _ = socket.recv_fds(client, NUMBER.size, 3)
            request = json.loads(exactly(client, *NUMBER.unpack(head)))
            if len(files) == 3 and self._is_like(request["circumstances"]):
                pid = _fork()
                if pid == 0:
                    self.clients[os.getpid()] = client
                    return request, files
        for file in files:
            os.close(file)
        if pid is None:
            client.close()
            return None
        self.clients[pid] = client
        self._selector.register(client, selectors.EVENT_READ, lambda: self._hear(pid, client))
        with suppress(OSError):
            client.sendall(NUMBER.pack(pid))
        return None

    def _is_like(self, theirs: dict[str, Any]) -> bool:
        """Whether a fork is what the client would become; each thing that differs is said once."""
        differing = {name for name, own in self.loaded.items() if theirs[name] != own}
        for name in sorted(differing - self._differed):
            say(f"rst warm: a cell loads for itself: its {name} is not that of this process")
        self._differed |= differing
        return not differing

    def _hear(self, pid: int, client: socket.socket) -> None:
        """Pass a client's signals on; a client that was killed takes its fork with it."""
        signals = b""
        with suppress(OSError):
            signals = client.recv(16)
        for signum in signals or [signal.SIGKILL]:
            os.kill(pid, signum)
        if not signals:
            self._forget(client)

    def become(self, request: dict[str, Any], files: list[int]) -> list[str]:
        """Be the client, in a fork, as far as a cell can tell; the words after ``rst``."""
        os.setpgid(0, 0)  # a keyboard's signals come through the client
        signal.set_wakeup_fd(-1)
        for name in _HANDLED:
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _block(signal.SIG_UNBLOCK)
        self._selector.close()
        for end in (self.listener, self._awake, self._wake, *self.clients.values()):
            end.close()
        for place, file in enumerate(files):
            os.dup2(file, place)
        for file in files:
            os.close(file)
        os.environ.clear()
        os.environ.update(request["environment"])
        os.chdir(request["folder"])
        sys.argv, sys.path[:], tempfile.tempdir = request["argv"], request["path"], None
        import numpy as np
        import torch

        torch.default_generator.seed()
        np.random.seed()
        return sys.argv[1:]


def _block(how: int) -> None:
    signal.pthread_sigmask(how, [getattr(signal, name) for name in _HANDLED])


def _fork() -> int:
    """Fork; the fork hears no signal until it has let go of this process's handlers."""
    _block(signal.SIG_BLOCK)
    pid = None
    try:
        pid = os.fork()
    finally:
        if pid != 0:
            _block(signal.SIG_UNBLOCK)
    return pid

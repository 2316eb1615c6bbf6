"""Leases: at most one job at a time works on a cell, on one machine or on many.

A lease is a folder of numbered claims on the file system that the jobs share anyway. A job
claims a cell by creating the next number with a hard link, which is atomic and exclusive on
local disks and on NFS alike, and needs no lock daemon. The highest number holds. Its holder
renews it by touching it; nobody ever renames or overwrites another's claim, so that a job
that was thought dead and wakes up finds a higher number and stops.

A holder counts as gone if its process is known to be dead (same machine, no such process),
or if its claim stayed untouched for ``patience`` seconds on the *watcher's own* monotonic
clock: clocks of two machines are never compared.

Why not a library: docs/resuming.md.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rst_core.progress import say

#: Seconds between two touches of a claim.
BEAT = 20.0
#: Seconds without a touch after which a holder counts as gone. Nine missed touches: NFS
#: clients may show a file's time up to a minute late.
PATIENCE = 180.0
#: Seconds between two looks at another's claim.
POLL = 5.0


def _read(path: str) -> str | None:
    with suppress(OSError):
        return Path(path).read_text()
    return None


def _machine() -> str | None:
    """What tells apart two sets of process numbers: boot and PID namespace; None if unknown."""
    boot = _read("/proc/sys/kernel/random/boot_id")
    if boot is None:
        return None
    return f"{boot.strip()} {os.stat('/proc/self/ns/pid').st_ino}"


def process_start(pid: int) -> int | None:
    """When a process of this machine started, in ticks since boot; None if it is dead."""
    stat = _read(f"/proc/{pid}/stat")
    if stat is None:
        return None
    # The command, in parentheses, may hold blanks and parentheses itself.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


@dataclass(frozen=True)
class Holder:
    """Who made a claim.

    Attributes:
        token: random; no two claims have the same.
        host: name of the machine, for people.
        machine: its boot and PID namespace, if known.
        pid: process number.
        start: when the process started, in ticks since boot.
        since: when it made the claim (UTC).
        job: what a scheduler calls the job, from ``RST_JOB``.
    """

    token: str
    host: str
    machine: str | None
    pid: int
    start: int | None
    since: str
    job: str | None

    @classmethod
    def present(cls) -> Holder:
        """This process."""
        return cls(
            token=secrets.token_hex(16),
            host=socket.gethostname(),
            machine=_machine(),
            pid=os.getpid(),
            start=process_start(os.getpid()),
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            job=os.environ.get("RST_JOB") or None,
        )

    def dead(self) -> bool:
        """Whether the process is known to be dead; False if that cannot be known from here."""
        if self.machine is None or self.machine != _machine():
            return False
        return process_start(self.pid) != self.start

    def __str__(self) -> str:
        job = f"job {self.job}, " if self.job else ""
        return f"{job}process {self.pid} on {self.host} since {self.since}"


@dataclass(frozen=True)
class Claim:
    """A numbered claim in a lease's folder."""

    folder: Path
    number: int
    token: str

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / str(self.number)

    def touch(self) -> None:
        """Say that the holder lives."""
        # Never creates the file: a claim that was taken over and cleared stays cleared.
        with suppress(OSError):
            os.utime(self.path)

    def lost(self) -> bool:
        """Whether another job has taken over, so that nothing may be written any more."""
        return not self.there() or (self.folder / str(self.number + 1)).exists()

    def there(self) -> bool:
        """Whether the file is there and is this very claim, not a later one of its number."""
        sight = _look(self.folder, self.number)
        return sight is not None and sight.holder is not None and sight.holder.token == self.token


@dataclass(frozen=True)
class Sight:
    """A claim as another process sees it; two equal sights are one claim not touched between."""

    number: int
    holder: Holder | None
    touched: int


def _numbers(folder: Path) -> list[int]:
    with suppress(FileNotFoundError):
        return sorted(int(name) for name in os.listdir(folder) if name.isdigit())
    return []


def _look(folder: Path, number: int) -> Sight | None:
    try:
        # Opening asks the server anew: NFS promises that to whoever opens, not to stat.
        with (folder / str(number)).open() as file:
            touched = os.fstat(file.fileno()).st_mtime_ns
            text = file.read()
    except OSError:
        return None
    try:
        holder = Holder(**json.loads(text))
    except (ValueError, TypeError):
        holder = None
    return Sight(number, holder, touched)


def newest(folder: Path) -> Sight | None:
    """The claim that holds, if there is one."""
    for number in reversed(_numbers(folder)):
        sight = _look(folder, number)
        if sight is not None:
            return sight
    return None


def _make(folder: Path, number: int) -> Claim | None:
    """Create claim ``number``, complete from the first moment; None if it exists."""
    holder = Holder.present()
    claim = Claim(folder, number, holder.token)
    draft = folder / f".{holder.token}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(holder)))
        os.link(draft, claim.path)
    except FileExistsError:
        # NFS may repeat a link that succeeded: then the file that exists is this claim.
        return claim if claim.there() else None
    except FileNotFoundError:
        return None  # a holder cleared the folder just now
    finally:
        draft.unlink(missing_ok=True)
    return claim


def _stands(claim: Claim, over: Sight | None) -> bool:
    """Whether nobody else claimed between the look and the claim.

    All other claims must be the one that was judged gone, or older.
    """
    for number in _numbers(claim.folder):
        if number == claim.number:
            continue
        sight = _look(claim.folder, number)
        if sight is None:
            continue
        if over is None or number > over.number:
            return False
        if number == over.number and sight.holder != over.holder:
            return False
    return True


@dataclass
class Watch:
    """Judges by one's own clock whether the holder of a lease is gone."""

    patience: float
    clock: Callable[[], float]
    _seen: Sight | None = field(default=None, init=False)
    _at: float = field(default=0.0, init=False)

    def gone(self, sight: Sight) -> bool:
        """Whether the holder is dead, or was seen untouched for ``patience`` seconds."""
        if sight.holder is not None and sight.holder.dead():
            return True
        now = self.clock()
        if sight != self._seen:
            self._seen, self._at = sight, now
        return now - self._at >= self.patience


def acquire(
    folder: Path,
    *,
    patience: float = PATIENCE,
    poll: float = POLL,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
    may_wait: Callable[[Sight], None] = lambda sight: None,
) -> tuple[Claim, bool]:
    """Claim a cell, waiting while another job holds it.

    Args:
        folder: the lease's folder.
        patience: seconds after which an untouched claim counts as abandoned.
        poll: seconds between two looks.
        clock: monotonic seconds.
        pause: waits so many seconds.
        may_wait: called before every wait; what it raises ends the wait.

    Returns:
        The claim, and whether another job was waited for or taken over from.
    """
    watch = Watch(patience, clock)
    met: Sight | None = None
    while True:
        top = newest(folder)
        if top is None or watch.gone(top):
            claim = _make(folder, 1 if top is None else top.number + 1)
            if claim is not None and _stands(claim, top):
                if top is not None:
                    say(f"taken over from {top.holder or 'a job that cannot be read'}: it is gone")
                return claim, met is not None or top is not None
            if claim is not None:
                claim.path.unlink(missing_ok=True)
        if top is not None and (met is None or met.holder != top.holder):
            say(f"waiting: {top.holder or 'another job'} works on this cell ({folder})")
            met = top
        if top is not None:
            may_wait(top)
        pause(poll)


def release(claim: Claim, within: Path | None = None) -> None:
    """Give a cell back; what a job that lost it may not remove stays.

    Args:
        claim: to be removed.
        within: folder up to which all folders that are left empty go, too.
    """
    if not claim.lost():
        # The own claim goes last: until then nobody can claim a lower number.
        for number in _numbers(claim.folder):
            if number < claim.number:
                (claim.folder / str(number)).unlink(missing_ok=True)
    if claim.there():
        claim.path.unlink(missing_ok=True)
    for part in claim.folder.glob(".*.part"):
        # Left by a process killed between draft and link; a live one makes its draft anew.
        part.unlink(missing_ok=True)
    with suppress(OSError):
        claim.folder.rmdir()
        for folder in claim.folder.parents:
            if within is None or not folder.is_relative_to(within):
                break
            folder.rmdir()


@contextmanager
def held(
    folder: Path, *, within: Path | None = None, beat: float = BEAT, **options: Any
) -> Iterator[tuple[Claim, bool]]:
    """Hold a cell for the length of the block, renewed by a thread every ``beat`` seconds.

    See :func:`acquire` for the other options and what is yielded, :func:`release` for
    ``within``.
    """
    claim, waited = acquire(folder, **options)
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(beat):
            claim.touch()

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield claim, waited
    finally:
        stop.set()
        thread.join()
        release(claim, within)


def leases(root: Path) -> list[tuple[Path, Holder]]:
    """Cells below a folder that jobs work on, and those jobs, without any known to be dead.

    Takes nothing and waits for nothing: a holder on another machine may be gone as well.
    """
    found = []
    # Unlike Path.rglob, os.walk passes over folders that vanish under it.
    for folder, folders, _ in os.walk(root):
        sight = newest(Path(folder) / "lease") if "lease" in folders else None
        if sight is not None and sight.holder is not None and not sight.holder.dead():
            found.append((Path(folder), sight.holder))
    return sorted(found, key=lambda entry: entry[0])

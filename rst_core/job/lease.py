"""Leases: at most one job at a time works on a cell, on one machine or on many.

A lease is a folder of numbered entries on the file system that the jobs share anyway. A job
acquires a cell by creating the next number with a hard link, which is atomic and exclusive on
local disks and on NFS alike, and needs no lock daemon. The entry with the highest number, its
generation, holds. Its holder renews it by touching it. No job renames or overwrites the entry of
another, so a suspended job that resumes finds a higher number and stops.

A holder counts as gone if its process is known to be dead (same machine, no such process),
or if its entry stayed untouched for ``stale_after`` seconds on the *watcher's own* monotonic
clock: clocks of two machines are never compared. Why not a library: docs/resuming.md.
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
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rst_core.job.log import log

#: Seconds between two touches of an entry.
HEARTBEAT = 20.0
#: Seconds without a touch after which a holder counts as gone. Nine missed heartbeats: NFS
#: clients may show a file's time up to a minute late.
STALE_AFTER = 180.0
#: Seconds between two polls of another's entry.
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
    """The process that made an entry.

    Attributes:
        token: random; no two entries have the same.
        host: name of the machine, for people.
        machine: its boot and PID namespace, if known.
        pid: process number.
        start: when the process started, in ticks since boot.
        since: when it made the entry (UTC).
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
        known = self.machine is not None and self.machine == _machine()
        return known and process_start(self.pid) != self.start

    @property
    def process(self) -> str:
        """Job, process and host, for people."""
        job = f"job {self.job}, " if self.job else ""
        return f"{job}process {self.pid} on {self.host}"

    def __str__(self) -> str:
        return f"{self.process} since {self.since}"


@dataclass(frozen=True)
class LeaseEntry:
    """A numbered entry in a lease's folder; two that are equal were not touched between.

    Attributes:
        token: the holder's; empty if the file cannot be understood.
        touched: the file's time in nanoseconds, of an entry that was read.
    """

    folder: Path
    generation: int
    token: str
    holder: Holder | None = None
    touched: int = 0

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / str(self.generation)

    def renew(self) -> None:
        """Show that the holder lives."""
        # Never creates the file: an entry that was taken over and cleared stays cleared.
        with suppress(OSError):
            os.utime(self.path)

    def lost(self) -> bool:
        """Whether another job has taken over, so that nothing may be written any more."""
        return not self.exists() or (self.folder / str(self.generation + 1)).exists()

    def exists(self) -> bool:
        """Whether the file is there and is this very entry, not a later one of its generation."""
        found = _read_entry(self.folder, self.generation)
        return found is not None and found.token == self.token


def _generations(folder: Path) -> list[int]:
    with suppress(FileNotFoundError):
        return sorted(int(name) for name in os.listdir(folder) if name.isdigit())
    return []


def _read_entry(folder: Path, generation: int) -> LeaseEntry | None:
    try:
        # Opening asks the server anew: NFS promises that to whoever opens, not to stat.
        with (folder / str(generation)).open() as file:
            touched = os.fstat(file.fileno()).st_mtime_ns
            text = file.read()
    except (IsADirectoryError, PermissionError) as error:
        # Unlike an entry that was cleared just now, it would be waited for without end.
        raise OSError(
            f"the lease {folder} holds {generation}, which cannot be read ({error.strerror}): "
            "if no job runs on this cell, remove that folder"
        ) from error
    except OSError:
        return None
    try:
        holder = Holder(**json.loads(text))
    except (ValueError, TypeError):
        return LeaseEntry(folder, generation, "", None, touched)
    return LeaseEntry(folder, generation, holder.token, holder, touched)


def current_entry(folder: Path) -> LeaseEntry | None:
    """The entry that holds, if there is one."""
    entries = (_read_entry(folder, generation) for generation in reversed(_generations(folder)))
    return next((entry for entry in entries if entry is not None), None)


def _make(folder: Path, generation: int) -> LeaseEntry | None:
    """Create entry ``generation``, complete from the first moment; None if it exists."""
    holder = Holder.present()
    entry = LeaseEntry(folder, generation, holder.token, holder)
    draft = folder / f".{holder.token}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(asdict(holder)))
        os.link(draft, entry.path)
    except FileExistsError:
        # NFS may repeat a link that succeeded: then the file that exists is this entry.
        return entry if entry.exists() else None
    except FileNotFoundError:
        return None  # a holder cleared the folder just now
    finally:
        draft.unlink(missing_ok=True)
    return entry


def _is_exclusive(entry: LeaseEntry, over: LeaseEntry | None) -> bool:
    """Whether all other entries are the one that was found gone, or older."""
    for generation in _generations(entry.folder):
        other = None if generation == entry.generation else _read_entry(entry.folder, generation)
        if other is None:
            continue
        if over is None or generation > over.generation:
            return False
        if generation == over.generation and other.holder != over.holder:
            return False
    return True


def acquire(
    folder: Path,
    *,
    stale_after: float = STALE_AFTER,
    poll: float = POLL,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[LeaseEntry, bool]:
    """Acquire a cell, waiting while another job holds it.

    Looks every ``poll`` seconds; an entry that is untouched for ``stale_after`` seconds of
    ``clock`` counts as abandoned. Returns the new entry, and whether another job was waited for or
    taken over from.
    """
    seen: LeaseEntry | None = None
    logged: Holder | str | None = None
    since = clock()
    while True:
        top = current_entry(folder)
        if top != seen:
            seen, since = top, clock()
        other = None if top is None else top.holder or "a job whose entry cannot be read"
        dead = isinstance(other, Holder) and other.dead()
        if top is None or dead or clock() - since >= stale_after:
            entry = _make(folder, 1 if top is None else top.generation + 1)
            if entry is not None and _is_exclusive(entry, top):
                if other:
                    log.info("taken over from %s, which no longer runs", other)
                return entry, bool(logged or other)
            if entry is not None:
                entry.path.unlink(missing_ok=True)
        if other and other != logged:
            log.info("waiting: %s holds the lease of this cell (%s)", other, folder)
            logged = other
        pause(poll)


def release(entry: LeaseEntry, within: Path | None = None) -> None:
    """Give a cell back; what a job that lost it may not remove stays.

    Folders that are left empty go, too, up to ``within``.
    """
    if not entry.lost():
        # This job's entry goes last: until then nobody can make a lower number.
        for generation in _generations(entry.folder):
            if generation < entry.generation:
                (entry.folder / str(generation)).unlink(missing_ok=True)
    if entry.exists():
        entry.path.unlink(missing_ok=True)
    for part in entry.folder.glob(".*.part"):
        # Left by a process killed between draft and link; a live one makes its draft anew.
        part.unlink(missing_ok=True)
    with suppress(OSError):
        entry.folder.rmdir()
        for folder in entry.folder.parents:
            if within is None or not folder.is_relative_to(within):
                break
            folder.rmdir()


@contextmanager
def held(
    folder: Path, *, within: Path | None = None, heartbeat: float = HEARTBEAT, **options: Any
) -> Iterator[tuple[LeaseEntry, bool]]:
    """Hold a cell for the length of the block, renewed by a thread every ``heartbeat`` seconds.

    See :func:`acquire` for the other options and the result, :func:`release` for ``within``.
    """
    entry, waited = acquire(folder, **options)
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(heartbeat):
            entry.renew()

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield entry, waited
    finally:
        stop.set()
        thread.join()
        release(entry, within)


def leases(root: Path) -> list[tuple[Path, Holder]]:
    """Cells below a folder that jobs work on, and those jobs, without any known to be dead.

    Takes nothing and waits for nothing: a holder on another machine may be gone as well.
    """
    found = []
    # Unlike Path.rglob, os.walk passes over folders that vanish under it.
    for folder, folders, _ in os.walk(root):
        entry = current_entry(Path(folder) / "lease") if "lease" in folders else None
        if entry is not None and entry.holder is not None and not entry.holder.dead():
            found.append((Path(folder), entry.holder))
    return sorted(found, key=lambda entry: entry[0])

"""Leases: at most one job at a time works on a cell, on one machine or on many.

A lease is a folder of numbered claims on the file system that the jobs share anyway. A job
claims a cell by creating the next number with a hard link, which is atomic and exclusive on
local disks and on NFS alike, and needs no lock daemon. The highest number holds. Its holder
renews it by touching it. No job renames or overwrites the claim of another, so a suspended job that
resumes finds a higher number and stops.

A holder counts as gone if its process is known to be dead (same machine, no such process),
or if its claim stayed untouched for ``stale_after`` seconds on the *watcher's own* monotonic
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

#: Seconds between two touches of a claim.
HEARTBEAT = 20.0
#: Seconds without a touch after which a holder counts as gone. Nine missed heartbeats: NFS
#: clients may show a file's time up to a minute late.
STALE_AFTER = 180.0
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
    """The process that made a claim.

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
        known = self.machine is not None and self.machine == _machine()
        return known and process_start(self.pid) != self.start

    def __str__(self) -> str:
        job = f"job {self.job}, " if self.job else ""
        return f"{job}process {self.pid} on {self.host} since {self.since}"


@dataclass(frozen=True)
class Claim:
    """A numbered claim in a lease's folder; two that are equal were not touched between.

    Attributes:
        token: the holder's; empty if the file cannot be understood.
        touched: the file's time in nanoseconds, of a claim that was read.
    """

    folder: Path
    number: int
    token: str
    holder: Holder | None = None
    touched: int = 0

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / str(self.number)

    def touch(self) -> None:
        """Show that the holder lives."""
        # Never creates the file: a claim that was taken over and cleared stays cleared.
        with suppress(OSError):
            os.utime(self.path)

    def lost(self) -> bool:
        """Whether another job has taken over, so that nothing may be written any more."""
        return not self.there() or (self.folder / str(self.number + 1)).exists()

    def there(self) -> bool:
        """Whether the file is there and is this very claim, not a later one of its number."""
        found = _read_claim(self.folder, self.number)
        return found is not None and found.token == self.token


def _numbers(folder: Path) -> list[int]:
    with suppress(FileNotFoundError):
        return sorted(int(name) for name in os.listdir(folder) if name.isdigit())
    return []


def _read_claim(folder: Path, number: int) -> Claim | None:
    try:
        # Opening asks the server anew: NFS promises that to whoever opens, not to stat.
        with (folder / str(number)).open() as file:
            touched = os.fstat(file.fileno()).st_mtime_ns
            text = file.read()
    except (IsADirectoryError, PermissionError) as error:
        # Unlike a claim that was cleared just now, it would be waited for without end.
        raise OSError(
            f"the lease {folder} holds {number}, which cannot be read ({error.strerror}): if no "
            "job runs on this cell, remove that folder"
        ) from error
    except OSError:
        return None
    try:
        holder = Holder(**json.loads(text))
    except (ValueError, TypeError):
        return Claim(folder, number, "", None, touched)
    return Claim(folder, number, holder.token, holder, touched)


def newest(folder: Path) -> Claim | None:
    """The claim that holds, if there is one."""
    claims = (_read_claim(folder, number) for number in reversed(_numbers(folder)))
    return next((claim for claim in claims if claim is not None), None)


def _make(folder: Path, number: int) -> Claim | None:
    """Create claim ``number``, complete from the first moment; None if it exists."""
    holder = Holder.present()
    claim = Claim(folder, number, holder.token, holder)
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


def _is_exclusive(claim: Claim, over: Claim | None) -> bool:
    """Whether all other claims are the one that was found gone, or older."""
    for number in _numbers(claim.folder):
        other = None if number == claim.number else _read_claim(claim.folder, number)
        if other is None:
            continue
        if over is None or number > over.number:
            return False
        if number == over.number and other.holder != over.holder:
            return False
    return True


def acquire(
    folder: Path,
    *,
    stale_after: float = STALE_AFTER,
    poll: float = POLL,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> tuple[Claim, bool]:
    """Claim a cell, waiting while another job holds it.

    Looks every ``poll`` seconds; a claim that is untouched for ``stale_after`` seconds of ``clock``
    counts as abandoned. Returns the claim, and whether another job was waited for or taken over
    from.
    """
    seen: Claim | None = None
    logged: Holder | str | None = None
    since = clock()
    while True:
        top = newest(folder)
        if top != seen:
            seen, since = top, clock()
        other = None if top is None else top.holder or "a job whose claim cannot be read"
        dead = isinstance(other, Holder) and other.dead()
        if top is None or dead or clock() - since >= stale_after:
            claim = _make(folder, 1 if top is None else top.number + 1)
            if claim is not None and _is_exclusive(claim, top):
                if other:
                    log.info("taken over from %s, which no longer runs", other)
                return claim, bool(logged or other)
            if claim is not None:
                claim.path.unlink(missing_ok=True)
        if other and other != logged:
            log.info("waiting: %s holds the lease of this cell (%s)", other, folder)
            logged = other
        pause(poll)


def release(claim: Claim, within: Path | None = None) -> None:
    """Give a cell back; what a job that lost it may not remove stays.

    Folders that are left empty go, too, up to ``within``.
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
    folder: Path, *, within: Path | None = None, heartbeat: float = HEARTBEAT, **options: Any
) -> Iterator[tuple[Claim, bool]]:
    """Hold a cell for the length of the block, renewed by a thread every ``heartbeat`` seconds.

    See :func:`acquire` for the other options and the result, :func:`release` for ``within``.
    """
    claim, waited = acquire(folder, **options)
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(heartbeat):
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
        claim = newest(Path(folder) / "lease") if "lease" in folders else None
        if claim is not None and claim.holder is not None and not claim.holder.dead():
            found.append((Path(folder), claim.holder))
    return sorted(found, key=lambda entry: entry[0])

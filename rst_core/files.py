"""Writing files whole or not at all, and reading them without executing anything."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it when the block succeeds.

    Raises:
        OSError: in one sentence if the disk or the quota is full.
    """
    try:
        with _replaced(path) as temporary:
            yield temporary
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            f"{path} cannot be written, the disk or the quota is full; make room and run the "
            "same command again, nothing half-written is left"
        ) from error


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; results are meant to be read by the group.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_parts(path: Path) -> None:
    """Remove what killed writers of ``path`` left beside it: they had no time to do so.

    To be called by the only process that still writes ``path``.
    """
    for part in path.parent.glob(f".{path.name}.*.part"):
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def save_tensors(path: Path, value: object) -> None:
    """Write a nest of plain values and tensors, whole or not at all."""
    import torch

    with atomic_path(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(value, file)
        except RuntimeError as error:
            # torch hides what the file said behind an assertion on its position.
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None


def load_tensors(path: Path) -> Any:
    """Read what :func:`save_tensors` wrote, on the CPU, executing nothing.

    Raises:
        FileNotFoundError: naming the file.
        ValueError: if the file is damaged or holds anything but plain values and tensors.
    """
    import torch

    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes of any other kind make the unpickler raise anything
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} is damaged or no file of ours: {reason}") from error


def digest(content: Any) -> str:
    """Hex digest of what :func:`save_tensors` takes: the same for equal values and tensors."""
    found = hashlib.sha256()
    _feed(found, content)
    return found.hexdigest()


def _feed(found: hashlib._Hash, content: Any) -> None:
    import torch

    if isinstance(content, dict):
        found.update(f"dict {len(content)} ".encode())
        for key in sorted(content):
            found.update(f"{key!r}: ".encode())
            _feed(found, content[key])
    elif isinstance(content, list | tuple):
        found.update(f"list {len(content)} ".encode())
        for part in content:
            _feed(found, part)
    elif isinstance(content, torch.Tensor):
        found.update(f"{content.dtype} {tuple(content.shape)} ".encode())
        found.update(content.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    else:
        found.update(f"{content!r} ".encode())

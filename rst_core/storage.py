"""Writing files whole or not at all, and reading them verified, without executing anything.

What this module writes holds its format, its kind and a digest of its contents, which is
checked before anything else looks at them. What the contents must be, their readers check
(:mod:`rst_core.records`, :mod:`rst_core.models.files`, :mod:`rst_core.data.manifest`).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import struct
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it when the block succeeds.

    Raises ``OSError`` in one sentence if the disk or the quota is full.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes private files; results are meant to be read by the group.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            f"cannot write {path}: the disk or the quota is full; free space and rerun the same "
            "command (no partial file is left)"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def remove_parts(path: Path) -> None:
    """Remove what killed writers of ``path`` left beside it: they had no time to do so.

    To be called by the only process that still writes ``path``.
    """
    for part in path.parent.glob(f".{path.name}.*.part"):
        part.unlink(missing_ok=True)


#: What values of other types and sizes than expected raise, in readers or in torch.
IMPOSSIBLE = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError,
)  # fmt: skip


class FileError(ValueError):
    """A file of ours that cannot be used; one sentence with its name and what to do."""


class DamagedFileError(FileError):
    """A file that is not as it was written, or that says what cannot be."""

    def __init__(self, path: Path, found: object) -> None:
        text = (str(found).splitlines() or [type(found).__name__])[0].rstrip(".")
        if isinstance(found, KeyError):
            text = f"it has no {text}"
        super().__init__(f"{path} is damaged: {text}; delete it to have it made again")


class OtherVersionError(FileError):
    """A file that another version of this program wrote."""

    def __init__(self, path: Path, kind: str, found: object, read: int) -> None:
        super().__init__(
            f"{path} has {kind} format {found!r}, and this version reads {read}; delete it to "
            "have it made again, or use the version that wrote it"
        )


class StaleFileError(FileError):
    """A file that was made of other settings, images or models than are asked for."""


def write_text(path: Path, text: str) -> None:
    """Write ``text`` whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def checksum(value: object) -> str:
    """Hex digest of a JSON value however it is laid out; ``ValueError`` for a number not finite."""
    text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Hex digest (SHA-256) of a file's bytes."""
    with _opened(path) as file:
        return _digest_of(file, path.stat().st_size)


def is_digest(value: object) -> bool:
    """Whether a value is a hex digest such as this program writes."""
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write ``value`` as JSON with its checksum as ``check``, whole or not at all."""
    checked = {**value, "check": checksum(value)}
    write_text(path, json.dumps(checked, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, kind: str, version: int) -> dict[str, Any]:
    """What :func:`write_json` wrote, of a ``kind`` ("" accepts any) and a format.

    Raises ``FileNotFoundError``; ``DamagedFileError`` if it is not as it was written, or of another
    kind; ``OtherVersionError`` if its format is another one.
    """
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist") from None
    except (ValueError, RecursionError):
        raise DamagedFileError(path, "it is no JSON") from None
    return _verified(path, value, "check", kind, version)


def _verified(path: Path, value: object, check: str, kind: str, version: int) -> dict[str, Any]:
    """``value`` without its checksum, once that, its format and its kind are right."""
    if not isinstance(value, dict):
        raise DamagedFileError(path, f"it holds a {type(value).__name__}")
    if type(value.get("format")) is not int:
        raise DamagedFileError(path, "it has no format")
    if value["format"] != version:
        raise OtherVersionError(path, kind or "file", value["format"], version)
    rest = {name: part for name, part in value.items() if name != check}
    try:
        intact = checksum(rest) == value.get(check)
    except (ValueError, RecursionError):
        intact = False
    if not intact:
        raise DamagedFileError(path, "its checksum does not match its contents")
    if kind and value.get("kind") != kind:
        raise DamagedFileError(path, f"it holds a {value.get('kind')} where a {kind} is expected")
    return rest


#: Of the header of tensor files, and of what each kind of them holds.
TENSORS = 4
#: The kinds of tensor files among results.
MODEL, CHECKPOINT = "Model", "Checkpoint"


def save_tensors(path: Path, value: object, kind: str, header: Mapping[str, Any] = {}) -> None:
    """Write a nest of plain values and tensors, whole or not at all.

    The file is torch's own zip archive, which ``torch.load`` reads. The header is JSON in the
    archive's comment, where it is found without torch: what is given here, with digests of the
    bytes before it (``file``) and of itself (``header``).
    """
    import torch

    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            try:
                torch.save(value, file)
            except RuntimeError as error:
                # torch hides the error of the file behind an assertion on its position.
                hidden = isinstance(error.__context__, OSError)
                raise (error.__context__ if hidden else error) from None  # type: ignore[misc]
        with temporary.open("r+b") as file:
            # All but the length of the comment, which the digest then need not know.
            length = file.seek(-2, os.SEEK_END)
            found = {"format": TENSORS, "kind": kind, **header, "file": _digest_of(file, length)}
            text = json.dumps({**found, "header": checksum(found)}, allow_nan=False).encode()
            if len(text) > 0xFFFF:
                raise ValueError(f"the header of {path} has {len(text)} bytes, at most 65535 fit")
            file.seek(length)
            file.write(struct.pack("<H", len(text)) + text)


def _digest_of(file: BinaryIO, length: int) -> str:
    """Hex digest of the first ``length`` bytes."""
    file.seek(0)
    found = hashlib.sha256()
    while length > 0 and (part := file.read(min(length, 1 << 20))):
        found.update(part)
        length -= len(part)
    return found.hexdigest()


def read_header(path: Path, kind: str = "") -> dict[str, Any]:
    """The header of a tensor file, verified; neither torch nor the tensors are loaded.

    Raises as :func:`read_json` does.
    """
    with _opened(path) as file:
        return _header(path, file, kind)[0]


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} does not exist") from None


def _header(path: Path, file: BinaryIO, kind: str) -> tuple[dict[str, Any], int]:
    """The header, and how many bytes its digest of the file is of."""
    try:
        with zipfile.ZipFile(file) as archive:
            text = archive.comment
    # ZipFile raises the last two for damaged fields: an offset, a version that it cannot read.
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise DamagedFileError(path, "it is truncated, or not a file of this program") from None
    if not text:
        raise OtherVersionError(path, kind or "file", None, TENSORS)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise DamagedFileError(path, "its header is no JSON") from None
    length = file.seek(0, os.SEEK_END) - len(text) - 2
    return _verified(path, value, "header", kind, TENSORS), length


def check_tensors(path: Path, kind: str = "") -> dict[str, Any]:
    """The header of a tensor file all of whose bytes are as they were written; without torch.

    Raises as :func:`read_header` does.
    """
    with _opened(path) as file:
        header, length = _header(path, file, kind)
        if _digest_of(file, length) != header.get("file"):
            raise DamagedFileError(path, "its contents do not match its digest")
    return header


def load_tensors(path: Path, kind: str) -> tuple[dict[str, Any], Any]:
    """Header and contents of what :func:`save_tensors` wrote, on the CPU, executing nothing.

    Raises as :func:`read_json` does; anything but plain values and tensors is damage.
    """
    import torch

    header = check_tensors(path, kind)
    try:
        return header, torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes of any other kind make the unpickler raise anything
        raise DamagedFileError(path, error) from error


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

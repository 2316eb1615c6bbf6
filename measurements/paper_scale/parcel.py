"""Finished files as a few archives: the lent machine hands back 8 files of 16 MiB at most.

``cells.tar.gz`` holds everything small. ``models.tar.gz.N`` are the slices of one archive
of model files, in order of worth and as many as fit. Unfinished work does not travel.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from pathlib import Path

from rst_core.files import atomic_path

#: Bytes of all archives together, and of one file.
LIMIT, SLICE = 60 * 2**20, 15 * 2**20
_CELLS, _MODELS = "cells.tar.gz", "models.tar.gz"


def small_files(folder: Path) -> list[Path]:
    """Records, cells and metrics."""
    cells = folder / "cells"
    found = [*folder.glob("*.json"), *cells.rglob("*.json"), *cells.rglob("metrics.jsonl")]
    return sorted(path for path in found if not path.name.startswith("."))


def model_files(folder: Path) -> list[Path]:
    """Model files in order of worth: tickets, then denses; their best epochs first."""

    def worth(path: Path) -> tuple[bool, bool, bool, Path]:
        # The adversarial dense lies under an RTT and Auto-Attack, the natural one costs little.
        return (
            path.name != "ticket.pt",
            path.parent.name != "best_val",
            "natural" in str(path),
            path,
        )

    cells = folder / "cells"
    return sorted([*cells.rglob("ticket.pt"), *cells.rglob("weights.pt")], key=worth)


def pack(folder: Path, out: Path, limit: int = LIMIT, models: bool = True) -> list[Path]:
    """Write the archives of a run's folder, whole or not at all.

    Args:
        folder: of the run.
        out: folder of the archives.
        limit: bytes of all of them; models that do not fit stay behind.
        models: write those of models too, anew.

    Returns:
        Model files that stayed behind.
    """
    small = _archive(folder, small_files(folder))
    _write(out / _CELLS, small)
    if not models:
        return []
    room = float(limit - len(small))
    taken: list[Path] = []
    left: list[Path] = []
    for path in model_files(folder):
        # Trained weights compress by about that much, masks are compressed already.
        size = 0.95 * path.stat().st_size
        fits = size <= room
        room -= size if fits else 0
        (taken if fits else left).append(path)
    archive = _archive(folder, taken)
    slices = [archive[i : i + SLICE] for i in range(0, len(archive), SLICE)] if taken else []
    for number, part in enumerate(slices):
        _write(out / f"{_MODELS}.{number}", part)
    for stale in _slices(out)[len(slices) :]:
        stale.unlink()
    return left


def _slices(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"{_MODELS}.*"), key=lambda path: int(path.suffix[1:]))


def unpack(parcels: Path, folder: Path) -> None:
    """Put what :func:`pack` wrote back into a run's folder; what is there already stays.

    Raises:
        FileNotFoundError: if there are no parcels.
    """
    cells = parcels / _CELLS
    if not cells.is_file():
        raise FileNotFoundError(f"{cells} does not exist; the folder is expected to hold parcels")
    slices = _slices(parcels)
    _extract(cells.read_bytes(), folder)
    if slices:
        _extract(b"".join(path.read_bytes() for path in slices), folder)


def _archive(folder: Path, files: Iterable[Path]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", compresslevel=1) as tar:
        for path in files:
            tar.add(path, path.relative_to(folder).as_posix())
    return content.getvalue()


def _extract(archive: bytes, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        fresh = [member for member in tar if not (folder / member.name).exists()]
        tar.extractall(folder, fresh, filter="data")


def _write(path: Path, content: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)

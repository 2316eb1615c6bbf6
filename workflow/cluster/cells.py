"""What the executor knows of cells, by the paths of their files: a name, and how far they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rst_core.axes import DEFAULTS

#: Parts of a model's path that are the paper's defaults.
_DEFAULTS = {str(value) for value in DEFAULTS.values()} | {f"eps{DEFAULTS['trained_eps']:g}"}


def job_name(rules: Sequence[str], outputs: Sequence[str]) -> str:
    """A short name of a job: ``search cifar10 resnet18 rst 0.2 s0``, of several cells with ``+2``.

    Parts of the path that are the paper's defaults are left out.

    Args:
        rules: the rule of each cell.
        outputs: its first file; the first of all is named.
    """
    *place, file = Path(outputs[0]).parts
    if place[-1] != "untrained":  # all others have a selection
        place.pop()
    dataset, network, origin, model = place[-4:]
    start, _, seed = origin.rpartition("-seed")
    kind, *settings = model.split("-")
    parts = [part.removeprefix("keep") for part in (start, *settings) if part not in _DEFAULTS]
    attack = [Path(file).stem] if file.endswith(".json") else []
    more = [f"+{len(outputs) - 1}"] if len(outputs) > 1 else []
    return " ".join([rules[0], dataset, network, kind, *parts, f"s{seed}", *attack, *more])


def last_saved(outputs: Sequence[str], cells: Path, checkpoints: Path) -> float:
    """When a job's cells last saved something, in seconds since the epoch; 0 if they never did.

    Args:
        outputs: their first files.
        cells: the folder that those are below.
        checkpoints: the folder of unfinished work, with the same paths below it.
    """
    files = []
    for output in map(Path, outputs):
        place = checkpoints / output.relative_to(cells)
        folder = place.parents[1] if output.suffix == ".pt" else place.with_suffix("")
        files += [output, *(folder.iterdir() if folder.is_dir() else ())]
    return max((file.stat().st_mtime for file in files if file.is_file()), default=0.0)

"""What the executor knows of cells, by the paths of their files: a name, and how far they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rst_core.axes import DEFAULTS
from rst_core.identity import split_cell_path
from rst_core.job.paths import checkpoint_path

#: Parts of a model's path that are the paper's defaults.
_DEFAULTS = {str(value) for value in DEFAULTS.values()} | {f"eps{DEFAULTS['trained_eps']:g}"}


def jobs_of(job: Any) -> list[Any]:
    """A job of Snakemake, or those of a group with the one that makes the model first."""
    jobs = job.jobs if job.is_group() else [job]
    return sorted((one for one in jobs if one.output), key=_models_first)


def _models_first(job: Any) -> tuple[bool, str]:
    output = str(job.output[0])
    return not output.endswith(".pt"), output


def job_name(job: Any) -> str:
    """A short name of a job: ``search cifar10 resnet18 rst 0.2 s0``, of several cells with ``+2``.

    Parts of the path that are the paper's defaults are left out.
    """
    first, *others = jobs_of(job)
    file = Path(first.output[0])
    _, cell = split_cell_path(str(file))
    dataset, network, origin, model = cell.model.path.split("/")
    start, _, seed = origin.rpartition("-seed")
    kind, *settings = model.split("-")
    parts = [part.removeprefix("keep") for part in (start, *settings) if part not in _DEFAULTS]
    attack = [file.stem] if file.suffix == ".json" else []
    more = [f"+{len(others)}"] if others else []
    return " ".join([first.rule.name, dataset, network, kind, *parts, f"s{seed}", *attack, *more])


def last_saved(job: Any) -> float:
    """When a job's cells last saved something, in seconds since the epoch; 0 if they never did."""
    files = []
    for one in jobs_of(job):
        root, cell = split_cell_path(str(one.output[0]))
        unfinished = checkpoint_path(Path(root), cell).parent
        files += [Path(one.output[0]), *(unfinished.iterdir() if unfinished.is_dir() else ())]
    return max((file.stat().st_mtime for file in files if file.is_file()), default=0.0)

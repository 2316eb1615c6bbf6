"""How cost grows: a search step with its axes, aggregation with the number of cells."""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import steps
from benchmarks.ratios import seconds, take_turns
from rst_core.records import pack_outcomes
from rst_core.spec import Cell, Evaluation, FeatureDistance, TransferRow
from rst_core.vocabulary import Architecture, Pattern

#: The point that the axes go through: PreActResNet-18 at half width.
WIDTH, BATCH, KEEP_RATIO = 0.5, 64, 0.2
AXES: dict[str, list[Any]] = {
    "width": [0.125, 0.25, 0.5, 1.0],
    "batch size": [16, 32, 64, 128],
    "keep ratio": [0.01, 0.05, 0.2, 0.5, 1.0],
    "pattern": [p.value for p in Pattern],
}

Point = tuple[str, Any, float]


def step_growth(rounds: int, device: torch.device) -> list[Point]:
    """(axis, value, median seconds of a search step) along every axis."""
    points: list[Point] = []
    for axis, values in AXES.items():
        work: dict[str, Callable[[], object]] = {}
        for value in values:
            at: dict[str, Any] = {
                "width": WIDTH,
                "batch size": BATCH,
                "keep ratio": KEEP_RATIO,
                "pattern": "element",
                axis: value,
            }
            model = steps.network(Architecture.PREACT_RESNET18, at["width"], device)
            run = steps.ours(model, at["keep ratio"], Pattern(at["pattern"]))
            work[str(value)] = partial(run, *steps.batch(at["batch size"], 32, device))
        times = take_turns(work, rounds)
        points += [(axis, v, statistics.median(times[str(v)])) for v in values]
    return points


def aggregation_growth(counts: tuple[int, ...] = (100, 1000, 10_000)) -> list[Point]:
    """(axis, number of cell files, seconds from all files to all artifacts) in one process."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            ("cell files", count, _aggregation(Path(folder) / str(count), count))
            for count in counts
        ]


def _aggregation(folder: Path, count: int) -> float:
    from workflow.artifacts.make import make_figure, make_table
    from workflow.artifacts.registry import FIGURES, TABLES

    matrix, cells = _cells(count)
    paths = {cell.path: folder / f"{i}.json" for i, cell in enumerate(cells)}
    folder.mkdir()
    for cell in cells:
        paths[cell.path].write_text(json.dumps(_record(matrix, cell)))

    def own(artifact: Any) -> list[Path]:
        return [paths[c.path] for c in artifact.cells(matrix) if c.path in paths]

    def everything() -> None:
        for table in TABLES.values():
            make_table(table, own(table), matrix, folder / "made" / table.name)
        for figure in FIGURES.values():
            make_figure(figure, own(figure), matrix, folder / "made" / figure.name)

    return seconds(everything)


def _cells(count: int) -> tuple[Any, list[Cell]]:
    """A matrix with as many seeds as give ``count`` measured cells, and those."""
    import yaml  # type: ignore[import-untyped]

    from workflow.config import read_config
    from workflow.matrix import Matrix

    config = Path(__file__).resolve().parents[1] / "config.yaml"
    raw = yaml.safe_load(config.read_text())
    for seeds in range(1, 100):
        matrix = Matrix(read_config(raw | {"seeds": list(range(seeds))}))
        cells = matrix.all_cells()
        if len(cells) >= count:
            return matrix, cells[:count]
    raise ValueError(f"100 seeds have fewer than {count} cells")


def _record(matrix: Any, cell: Cell) -> dict[str, Any]:
    """A cell file of the paper's size, its outcomes made up."""
    rng = np.random.default_rng(0)
    record: dict[str, Any] = {"cell": cell.path, "kind": type(cell).__name__}
    if isinstance(cell, FeatureDistance):
        return record | {"results": [{"eps": 8, "mean": 0.1, "total": 10_000}]}
    assert isinstance(cell, Evaluation | TransferRow)
    results = []
    for judge in _judges(matrix, cell):
        natural, robust = (pack_outcomes(rng.random(10_000) < share) for share in (0.8, 0.5))
        results.append({"model": judge, "natural": natural, "robust": robust})
    return record | {"results": results}


def _judges(matrix: Any, cell: Evaluation | TransferRow) -> Iterator[str]:
    sources = matrix.targets(cell) if isinstance(cell, TransferRow) else matrix.sources(cell)
    yield from (source.model.path for source in sources)

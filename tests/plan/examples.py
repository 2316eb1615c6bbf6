"""A folder of made-up results, shared by the tests of plan and status."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rst_core.identity import Cell, TrainingCell
from rst_core.settings import NetworkSettings
from tests.conftest import ROOT
from workflow.failures import is_in_place
from workflow.keys import CellStatus, State
from workflow.plan.needs import Graph, Job, with_inputs
from workflow.plan.operations import Operations
from workflow.plan.planner import Plan
from workflow.plan.project import Project
from workflow.plan.targets import parts_of

#: Round numbers for every network.
ONE = Operations(forward=1e9, gradient=2e9, update=3e9, weights=8_000_000)


class WhatIsThere:
    """In place of keys, which made-up files have not: a file that is there is fresh."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def state(self, cell: Cell) -> State:
        return self.status(cell).state

    def status(self, cell: Cell) -> CellStatus:
        path = self.project.root / self.project.matrix.file(cell)
        there = path.is_file() and not is_in_place(path)
        return CellStatus(State.FRESH if there else State.MISSING)


def project_in(
    folder: Path,
    counted: Operations | None = ONE,
    deltas: Sequence[Path] = (ROOT / "demo/matrix.yaml",),
) -> Project:
    """A matrix, by default the demo's, over an empty folder of results.

    ``counted`` spares the time of torch.
    """
    shutil.copy(ROOT / "config.yaml", folder)
    project = Project(folder, deltas)
    project.keys = WhatIsThere(project)  # type: ignore[assignment]
    if counted is not None:

        def count(settings: NetworkSettings, classes: int, image_size: int) -> Operations:
            return counted

        project.count = count  # type: ignore[assignment]
    return project


def jobs_of(project: Project, *targets: str) -> list[Job]:
    """All jobs under targets as if no file existed, inputs first."""
    graph = Graph(project.matrix)
    parts = parts_of(targets, project.matrix).values()
    return with_inputs(graph.jobs(cell for cells in parts for cell in cells))


def finish(
    project: Project, cell: Cell, *, at: float = 0.0, seconds: float = 10.0, device: str = "made up"
) -> Path:
    """Put a cell's file there, with what plan and status read of it."""
    path = project.root / project.matrix.file(cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(cell, TrainingCell):
        path.write_bytes(b"no model")
        epochs = project.matrix.training_settings(cell.model.network.dataset).epochs
        lines = [json.dumps({"epoch": i, "seconds": seconds / epochs}) for i in range(epochs)]
        metrics = path.parents[1] / "metrics.jsonl"
        metrics.write_text("\n".join(lines) + "\n")
    else:
        ended = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
        provenance = {"finished": ended, "wall_seconds": seconds, "device": device, "sessions": 1}
        path.write_text(json.dumps({"provenance": provenance}))
    os.utime(path, (at, at))
    return path


def took(plan: Plan) -> dict[Cell, float]:
    """Seconds of every cell that must be made, inputs first."""
    return {job.cell: seconds for job, seconds in plan.seconds.items()}

"""A made-up device and a folder of made-up results, shared by the tests of plan and status."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

from rst_core.spec import Cell, TrainingCell
from tests.conftest import ROOT
from workflow.matrix import cell_file
from workflow.plan.calibration import (
    AttackTimes,
    Calibration,
    Curve,
    NetworkTimes,
    TrainingTimes,
)
from workflow.plan.needs import Graph, Job, parts_of, whole
from workflow.plan.project import Project
from workflow.plan.wanted import wanted


def project_in(folder: Path) -> Project:
    """The demo's matrix over an empty folder of results."""
    shutil.copy(ROOT / "config.yaml", folder)
    return Project(folder, [ROOT / "demo/matrix.yaml"])


def jobs_of(project: Project, *targets: str) -> list[Job]:
    """All jobs under targets as if no file existed, inputs first."""
    graph = Graph(project.matrix, lambda cell: False)
    parts = parts_of(targets, project.matrix)
    return whole(graph.jobs(cell for part in parts for cell in part.cells))


def line(seconds_an_image: float, call: float = 0.0) -> Curve:
    """A call that takes ``call`` and so much more for every image."""
    return Curve(points=[(n, call + n * seconds_an_image) for n in (1, 10_000)])


def made_up(project: Project) -> Calibration:
    """A calibration of round numbers for everything in the matrix."""
    want = wanted(project.matrix, [job.cell for job in jobs_of(project, "all")])
    return Calibration(
        device="made-up GPU", device_type="cuda", torch="0", date="2026-01-01", assumed="",
        start=3.0, data={}, notes=[],
        networks=[
            NetworkTimes(
                architecture=one.build.architecture, width=one.build.width,
                image_size=one.image_size, parameters=1_000_000, statistics=1000,
                forward_flops=1e9, build=1.0, forward=line(0.001), gradient=line(0.003),
                training=[
                    TrainingTimes(
                        batch_size=size, precision=precision, attack=line(0.004),
                        update=line(0.005), search=0.1, finetune=0.01,
                    )
                    for size, precision in sorted(one.training)
                ],
            )
            for one in want.networks
        ],
        attacks=[
            AttackTimes(image_size=side, steps={name: line(0.0001) for name in names})
            for side, names in want.attacks.items()
        ],
    )  # fmt: skip


def finish(
    project: Project, cell: Cell, *, at: float = 0.0, seconds: float = 10.0, natural: float = 0.5
) -> Path:
    """Put a cell's file there, with what plan and status read of it."""
    path = project.root / cell_file(cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(cell, TrainingCell):
        path.write_bytes(b"no model")
        return path
    ended = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
    path.write_text(
        json.dumps(
            {
                "provenance": {"finished": ended, "wall_seconds": seconds, "device": "made up"},
                "results": [{"natural": {"correct": round(1000 * natural), "total": 1000}}],
            }
        )
    )
    return path

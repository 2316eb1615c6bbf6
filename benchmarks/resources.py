"""Size of a ticket, and the workflow's own cost: a dry run, a status of 50,000 cells."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks import steps
from benchmarks.ratios import Ratio, seconds
from rst_core.identity import Adversary, Network, Ticket
from rst_core.models.files import Head, save_model
from rst_core.settings import NetworkSettings
from rst_core.training.trainee import MaskTrainee
from rst_core.vocabulary import Architecture, Init, Origin, Pattern, SearchMethod
from workflow.plan.needs import Graph, whole
from workflow.plan.project import Project

ROOT = Path(__file__).resolve().parents[1]
#: Seeds with which the paper's matrix has 50,000 cells.
SEEDS = 32


def ticket_files() -> list[Ratio]:
    """Size of a ticket file against the state dict it stands for."""
    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18)
    model = steps.network(Architecture.PREACT_RESNET18, 1.0, torch.device("cpu"))
    network = Network("digits", "resnet18", Init.SIGNED_KAIMING_CONSTANT, 0)
    adversary, head = Adversary(SearchMethod.PGD7, 8.0), Head(10, steps.MEAN, steps.STD)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        state, file = Path(folder) / "state_dict.pt", Path(folder) / "ticket.pt"
        torch.save(model.state_dict(), state)
        for keep_ratio, target in ((0.05, 1 / 60), (0.5, 1 / 20)):
            ticket = Ticket(network, Origin.RST, keep_ratio, Pattern.ELEMENT, adversary)
            trainee = MaskTrainee(model, keep_ratio, Pattern.ELEMENT, seed=0)
            save_model(file, ticket, settings, head, trainee.contents(), {})
            size, full = file.stat().st_size, state.stat().st_size
            remark = f"{size / 1e6:.2f} MB of {full / 1e6:.2f} MB"
            what, against = f"ticket file at keep ratio {keep_ratio:g}", "its state dict"
            results.append(Ratio(what, against, (size / full,), "at most", target, remark))
    return results


def dry_run() -> list[Ratio]:
    """Dry runs of the full matrix and of ten times as much, in seconds and gigabytes."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "seeds.yaml"
        for matrix, seeds in (("the full matrix", 3), ("ten times the matrix", 30)):
            config.write_text(json.dumps({"seeds": list(range(seeds))}))
            command = ["snakemake", "all_cells", "-n", "--profile", "slurm", "--configfile"]
            wall = seconds(lambda command=command: run([*command, str(config)], ROOT))  # type: ignore[misc]
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9
            what, remark = f"dry run of {matrix}", "largest child so far"
            results.append(Ratio(what, "one second", (wall,), "at most", 60))
            results.append(Ratio(what, "one gigabyte", (peak,), "at most", 1, remark))
    return results


def status(rounds: int, seeds: int = SEEDS) -> list[Ratio]:
    """``rst plan`` and ``rst status`` of 50,000 cells, none of them finished: seconds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copy(ROOT / "config.yaml", root)
        (root / "seeds.yaml").write_text(json.dumps({"seeds": list(range(seeds))}))
        project = Project(root, [root / "seeds.yaml"])
        graph = Graph(project.matrix, lambda cell: None)
        cells = whole(graph.jobs(project.matrix.all_cells()))
        run(["workflow.cli", "plan", "all_cells"], root)  # counts operations, once
        results = []
        for name in ("plan", "status"):
            command = ["workflow.cli", name, "all_cells", "--configfile", "seeds.yaml"]
            took = tuple(seconds(lambda command=command: run(command, root)) for _ in range(rounds))  # type: ignore[misc]
            what = f"rst {name} of {len(cells):,} cells"
            results.append(Ratio(what, "one second", took, "at most", 10, "none is finished"))
    return results


def run(command: list[str], folder: Path) -> None:
    """Run a module of this environment in a folder.

    Raises:
        RuntimeError: if it fails, with the end of what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")

"""A cluster for the whole session, and projects whose Snakemake submits to it."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from rst_core.files import load_tensors
from tests.e2e.conftest import CELLS, TINY, Project, copy_project
from tests.slurm.cluster import Cluster

#: Seconds that anything may take on two cores that others use, too.
PATIENCE = 420

#: One RST whose search can be interrupted several times, and its evaluation.
RECIPE = "rst-keep0.2-element-pgd7-eps8"
TICKET = f"{CELLS}/{RECIPE}/best_val/ticket.pt"
EPOCHS = 10


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slurm)


@dataclass
class Run:
    """A Snakemake at work."""

    process: subprocess.Popen[bytes]
    log: Path
    cluster: Cluster

    @property
    def text(self) -> str:
        """Everything it has said so far."""
        return self.log.read_text(errors="replace")

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition while the workflow runs."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, f"ended before {what}:\n{self.text[-6000:]}"
            assert time.monotonic() < end, f"no {what} in {PATIENCE} s:\n{self.text[-6000:]}"
            self.cluster.release()
            time.sleep(0.2)

    def finish(self) -> int:
        """Wait for its end; the exit status."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"no end in {PATIENCE} s:\n{self.text[-6000:]}"
            self.cluster.release()
            time.sleep(0.5)
        return self.process.returncode


@dataclass
class Submitter:
    """A project and the cluster that its jobs go to."""

    project: Project
    cluster: Cluster
    runs: list[Run] = field(default_factory=list)

    def machine(self, **changes: Any) -> None:
        """Write the machine file: small jobs, and what a test wants otherwise."""
        file = self.project.folder / "slurm" / "machine.yaml"
        machine = yaml.safe_load(file.read_text()) | {"device": ""}  # the GPUs are pretended
        for kind in machine["kinds"].values():
            kind |= {"mem_mb": 1000, "cpus": 1, "minutes": 20}
        file.write_text(yaml.safe_dump(machine | changes))

    def start(self, *words: str) -> Run:
        """Start Snakemake with the slurm profile, looking at its jobs every few seconds."""
        log = self.project.folder / f"snakemake{len(list(self.project.folder.glob('*.log')))}.log"
        command = [
            sys.executable, "-m", "snakemake", *words, "--profile", "slurm",
            "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "20",
            "--configfile", "tiny.yaml",
        ]  # fmt: skip
        with log.open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=self.project.folder,
                env=os.environ | self.cluster.environment | {"RST_SLURM_PAUSE": "1"},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.runs.append(Run(process, log, self.cluster))
        return self.runs[-1]

    def end(self) -> None:
        """Kill what is still at work."""
        for run in self.runs:
            if run.process.poll() is None:
                os.killpg(run.process.pid, signal.SIGKILL)
                run.process.wait()

    def epochs(self, recipe: str = RECIPE) -> int:
        """Epochs that a search has finished so far."""
        metrics = self.project.folder / CELLS / recipe / "metrics.jsonl"
        return len(metrics.read_text().splitlines()) if metrics.exists() else 0

    def read_log(self, name: str = f"{RECIPE}/search.log") -> str:
        """A job's log."""
        folder = CELLS.replace("results/cells", "results/logs")
        return (self.project.folder / folder / name).read_text(errors="replace")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    made = Cluster(Path(f"/tmp/rst-cluster-{os.getpid()}"))
    # Told to stop, pytest takes the cluster down as it does at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def healthy(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, with all daemons up and no job left of the test before."""
    yield cluster
    cluster.heal()


@pytest.fixture
def submitter(tmp_path: Path, healthy: Cluster) -> Iterator[Submitter]:
    made = Submitter(copy_project(tmp_path), healthy)
    made.machine()
    yield made
    made.end()


def one_search(epochs: int = EPOCHS) -> dict[str, Any]:
    """A config of one long search."""
    config = copy.deepcopy(TINY)
    config["training"]["tiny"] |= {"epochs": epochs, "decay_epochs": [epochs // 2]}
    return config


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cells of a search that nothing interrupted, made without SLURM."""
    project = copy_project(tmp_path_factory.mktemp("undisturbed"))
    project.config(one_search())
    found = project.run(TICKET)
    assert found.returncode == 0, found.stderr
    return project.folder


def contents(path: Path) -> Any:
    """What a model file holds without its provenance."""
    return load_tensors(path)["contents"]


def assert_same_ticket(one: Path, other: Path, recipe: str = RECIPE) -> None:
    """Both folders' tickets are bit for bit the same, at every selection."""
    import torch

    for selection in ("best_val", "last"):
        file = f"{CELLS}/{recipe}/{selection}/ticket.pt"
        left, right = contents(one / file), contents(other / file)
        assert torch.equal(left["masks"]["data"], right["masks"]["data"]), selection
        assert torch.equal(left["batch_norm"], right["batch_norm"]), selection

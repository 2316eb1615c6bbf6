"""A cluster for the whole session, and projects whose Snakemake submits to it."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from rst_core.files import load_tensors
from tests.e2e.conftest import CELLS, TINY, copy_project
from tests.slurm.cluster import Cluster
from tests.slurm.demo import DEMO, TARGETS
from tests.slurm.small_demo import write_small_demo
from tests.slurm.submitter import RECIPE, TICKET, Submitter

EPOCHS = 10
#: The config of the small demo, in a copy of the project.
SMALL = "small.yaml"


@dataclass(frozen=True)
class LocalRun:
    """A Snakemake without SLURM, at work or done."""

    folder: Path
    process: subprocess.Popen[bytes]
    log: Path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slurm)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    made = Cluster(Path(f"/tmp/rst-cluster-{os.getpid()}"))
    # Told to stop, pytest takes the cluster down as it does at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session", autouse=True)
def _beside_the_others(request: pytest.FixtureRequest) -> None:
    """Start the local demo early if it is wanted at all: most tests mostly wait."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if any("submitted_demo" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("local_demo")


@pytest.fixture(scope="session")
def local_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """The small demo, being made on this machine."""
    project = copy_project(tmp_path_factory.mktemp("local"))
    write_small_demo(project.folder / SMALL)
    command = [sys.executable, "-m", "snakemake", *TARGETS, "--cores", "1", "--configfile"]
    log = project.folder / "snakemake.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, DEMO, SMALL],
            cwd=project.folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    yield LocalRun(project.folder, process, log)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


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

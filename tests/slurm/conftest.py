"""A cluster for the whole session, and projects whose Snakemake submits to it."""

from __future__ import annotations

import contextlib
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

from tests.e2e.conftest import CELLS, TINY, Project, copy_project
from tests.slurm.cluster import Cluster
from tests.slurm.demo import DEMO, same_file
from tests.slurm.processes import processes_of, until
from tests.slurm.small_demo import write_small_demo
from tests.slurm.submitter import PATIENCE, RECIPE, TICKET, Submitter

EPOCHS = 10
#: The config of the small demo, in a copy of the project.
SMALL = "small.yaml"
#: All cells. Artifacts are drawn where Snakemake runs, so that two show what SLURM adds.
TARGETS = ("all_cells", "results/demo/tables/table3.csv", "results/demo/figures/fig7.png")


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
            # Jobs wait for one another; the cluster itself may take minutes to start.
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(1500))


@contextlib.contextmanager
def started(made: Cluster) -> Iterator[Cluster]:
    """A cluster at work, of which nothing is left in the end."""
    # Told to stop, pytest takes the cluster down as it does at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    made.start()
    try:
        yield made
    finally:
        made.stop()
    assert not made.folder.exists()
    assert until(lambda: not processes_of(made.folder), 20), processes_of(made.folder)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with started(Cluster(Path(f"/tmp/rst-cluster-{os.getpid()}"))) as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def _beside_the_others(request: pytest.FixtureRequest) -> None:
    """Start what is compared with early, if it is wanted at all: most tests mostly wait."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in ("local_search", "local_demo"):
        wanted = {"local_search": "undisturbed", "local_demo": "submitted_demo"}[name]
        if any(wanted in item.fixturenames for item in request.session.items):
            request.getfixturevalue(name)


@contextlib.contextmanager
def locally(project: Project, *words: str) -> Iterator[LocalRun]:
    """A Snakemake at work on this machine."""
    log = project.folder / "snakemake.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "1", *words],
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


@pytest.fixture(scope="session")
def local_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """The small demo, being made on this machine."""
    project = copy_project(tmp_path_factory.mktemp("local"))
    write_small_demo(project.folder / SMALL)
    with locally(project, *TARGETS, "--configfile", DEMO, SMALL) as run:
        yield run


@pytest.fixture(scope="session")
def local_search(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """A search that nothing interrupts, being made on this machine."""
    project = copy_project(tmp_path_factory.mktemp("undisturbed"))
    project.config(one_search())
    with locally(project, TICKET, "--configfile", "tiny.yaml") as run:
        yield run


@pytest.fixture(scope="session")
def undisturbed(local_search: LocalRun) -> Path:
    """The folder of that search, done."""
    assert local_search.process.wait(PATIENCE) == 0, local_search.log.read_text()
    return local_search.folder


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


def assert_same_ticket(one: Path, other: Path) -> None:
    """Both folders' tickets are bit for bit the same, at every selection."""
    for selection in ("best_val", "last"):
        file = f"{CELLS}/{RECIPE}/{selection}/ticket.pt"
        assert same_file(one / file, other / file), selection

"""The matrices that claims are judged on, and frames with a number for every result."""

import pytest

from tests.claims.world import frame_of
from tests.conftest import ROOT
from tests.test_config import PAPER, extended
from workflow.artifacts.claims_data import claim_cells, read_claims
from workflow.config import read_config
from workflow.matrix import Matrix


@pytest.fixture(scope="session")
def matrix():
    return Matrix(read_config(PAPER))


@pytest.fixture(scope="session")
def demo():
    return Matrix(read_config(extended(ROOT / "demo" / "matrix.yaml")))


@pytest.fixture(scope="session")
def claims():
    return read_claims()


@pytest.fixture(scope="session")
def papers_world(matrix):
    return frame_of(matrix, claim_cells(matrix))


@pytest.fixture(scope="session")
def small(matrix):
    """CIFAR-10 and ResNet18: the dense at 50, the RST of keep ratio k at 40 + 20 k, two seeds."""

    def number(row):
        if row["measure"] == "natural":
            return 80.0
        jitter = (-0.5, 0.5)[row["seed"]]
        return jitter + (50 if row["model"] == "dense_adversarial" else 40 + 20 * row["keep_ratio"])

    cells = [c for e in ("dense", "existence") for c in matrix.cells(e) if c.model.network.seed < 2]
    return frame_of(matrix, cells, number)

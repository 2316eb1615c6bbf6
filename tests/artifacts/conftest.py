"""The two matrices that artifacts are made of: the paper's, and the demo's on stand-ins."""

import pytest

from tests.conftest import ROOT
from tests.test_config import PAPER, extended
from workflow.config import read_config
from workflow.matrix import Matrix


@pytest.fixture(scope="session")
def demo() -> Matrix:
    return Matrix(read_config(extended(ROOT / "demo" / "matrix.yaml")))


@pytest.fixture(scope="session")
def paper() -> Matrix:
    return Matrix(read_config(PAPER))

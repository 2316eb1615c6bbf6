"""The matrices of the claims, and the paper's world."""

import pytest

from tests.artifacts.claims.world import world_numbers
from workflow.artifacts.claims.definitions import read_claims
from workflow.artifacts.claims.paper import paper_verdict, papers_plan
from workflow.artifacts.claims.tree import compiled
from workflow.artifacts.claims.verdicts import all_verdicts


@pytest.fixture(scope="session")
def claims():
    return read_claims()


@pytest.fixture(scope="session")
def matrix():
    return papers_plan().matrix


@pytest.fixture(scope="session")
def trees(claims):
    """The compiled claims of the paper's matrix, by id."""
    return {c.id: compiled(claims, c.test, papers_plan()) for c in claims.claims}


@pytest.fixture(scope="session")
def own(trees):
    """What the paper's own numbers say of every claim, by id."""
    return {name: paper_verdict(tree) for name, tree in trees.items()}


@pytest.fixture(scope="session")
def papers_world():
    return world_numbers()


@pytest.fixture(scope="session")
def papers_verdicts(papers_world):
    """All claims in the paper's world."""
    return all_verdicts(papers_world, papers_plan())

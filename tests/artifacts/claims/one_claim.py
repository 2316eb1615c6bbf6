"""One claim on made-up numbers."""

import numpy as np

from workflow.artifacts.claims.definitions import Claims, read_claims
from workflow.artifacts.claims.numbers import Numbers, planned
from workflow.artifacts.claims.paper import papers_plan
from workflow.artifacts.claims.tree import Leaf
from workflow.artifacts.claims.verdicts import all_verdicts


def verdict(name: str, numbers: Numbers, claims: Claims | None = None):
    """The row of a claim, alone."""
    claims, papers = claims or read_claims(), papers_plan()
    plan = papers if numbers.matrix is papers.matrix else planned(numbers.matrix)
    alone = tuple(claim for claim in claims.claims if claim.id == name)
    return all_verdicts(numbers, plan, claims.model_copy(update={"claims": alone})).rows.iloc[0]


def made_up(test) -> Claims:
    """A file with one made-up claim."""
    claim = {"id": "made_up", "title": "t", "section": "0", "quote": "q", "rests_on": "nothing"}
    file = read_claims().model_dump(by_alias=True, exclude={"claims"}, exclude_unset=True)
    return Claims.model_validate(file | {"claims": [claim | {"test": test}]})


def mean(world: Numbers, key) -> float:
    """The value of a key in a world, over all seeds."""
    return np.mean([row["value"] for rows in world.rows[key].values() for row in rows])


def holds(tree, value_of) -> bool:
    """Whether a claim is true of exact values, by its definition alone.

    Args:
        value_of: the value of a key; easy images are the same under every attack.
    """
    if not isinstance(tree, Leaf):
        return sum(holds(child, value_of) for child in tree.children) >= tree.need
    total = 0.0
    for weight, address in tree.terms:
        means = (np.mean([value_of(key) for key in keys]) for keys in address.groups)
        total += weight * min(means, default=address.constant)
    return tree.at_least <= round(total, 6) <= tree.at_most

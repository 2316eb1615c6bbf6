"""One claim on made-up numbers."""

from workflow.artifacts.claims.definitions import Claims, read_claims
from workflow.artifacts.claims.numbers import Numbers, planned
from workflow.artifacts.claims.paper import papers_plan
from workflow.artifacts.claims.tree import Leaf
from workflow.artifacts.claims.verdicts import judge


def verdict(name: str, numbers: Numbers, matrix=None, claims: Claims | None = None):
    """The row of a claim, judged alone."""
    claims = claims or read_claims()
    plan = papers_plan() if matrix is None else planned(matrix)
    alone = tuple(claim for claim in claims.claims if claim.id == name)
    return judge(numbers, plan, claims.model_copy(update={"claims": alone})).rows.iloc[0]


def made_up(test) -> Claims:
    """A file with one made-up claim."""
    claim = {"id": "made_up", "title": "t", "section": "0", "quote": "q", "rests_on": "nothing"}
    file = read_claims().model_dump(by_alias=True, exclude={"claims"}, exclude_unset=True)
    return Claims.model_validate(file | {"claims": [claim | {"test": test}]})


def holds(tree, value_of) -> bool:
    """Whether a claim is true of exact values, by its definition alone.

    Args:
        value_of: the value of an address.
    """
    if isinstance(tree, Leaf):
        value = round(sum(w * value_of(address) for w, address in tree.terms), 6)
        return tree.at_least <= value <= tree.at_most
    return sum(holds(child, value_of) for child in tree.children) >= tree.need

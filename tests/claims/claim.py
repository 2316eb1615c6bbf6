"""A made-up claim about RSTs and their dense."""

from workflow.artifacts.claims_data import Claims

RSTS = {"model": "rst"}
DENSE = {"model": "dense_adversarial"}


def claim_of(test, experiments=("dense", "existence"), words=None):
    claim = {
        "id": "made_up", "title": "made up", "section": "0", "quote": "q", "rests_on": "nothing",
        "experiments": list(experiments), "test": test,
    }  # fmt: skip
    words = words or {"slack": {"value": 1.0, "reason": "r"}}
    return Claims.model_validate({"words": words, "claims": [claim]})

"""Claims that can fail: worlds that contradict a claim must not leave it supported.

Whether a made-up world contradicts a claim is said by the claim's own definition on the exact
values of that world (:func:`tests.artifacts.claims.one_claim.holds`): an equivalence bears a world
of equals, an existence bears most shuffles.
"""

from functools import partial

import numpy as np
import pytest

from tests.artifacts.claims.one_claim import holds, mean, verdict
from tests.artifacts.claims.world import changed
from workflow.artifacts.claims import verdicts
from workflow.artifacts.claims.definitions import read_claims
from workflow.artifacts.claims.numbers import Numbers
from workflow.artifacts.claims.tree import Leaf
from workflow.artifacts.claims.verdicts import WORDS
from workflow.artifacts.numbers.keyed import COUNTS

SUPPORTED, CONTRADICTED, UNDECIDED, WITHOUT = WORDS
CLAIMS = {claim.id: claim for claim in read_claims().claims}
#: Words that no world of equals bears out.
DIFFERENCES = {"better", "notably_better", "much_larger"}
FAR = 200.0  # beyond every bound, for what is a mean over many too


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """What an undecided claim could show is measured elsewhere, and takes as long as the rest."""
    monkeypatch.setattr(verdicts, "detectable", lambda *_: None)


def subject(leaf):
    """Keys of the first side that are not of the second too."""
    first = {k for w, a in leaf.terms if w > 0 for k in a.keys}
    # Where the second side is a mean over the first and others, the whole first side is.
    return first - {k for w, a in leaf.terms if w < 0 for k in a.keys} or first


def moved(world, leaves, way=None):
    """Subjects moved up or down, or out of their bounds: an accuracy to one end of its scale."""
    ends = {}
    for leaf in leaves:
        by = way or (-FAR if np.isfinite(leaf.at_least) else FAR)
        for key in subject(leaf):
            accuracy = key.measure in ("robust", "natural")
            ends[key] = 50.0 + by / 4 if accuracy else mean(world, key) + by
    return changed(world, ends)


def universal(tree):
    """Whether every comparison must come out."""
    return isinstance(tree, Leaf) or (tree.share == 1 and all(map(universal, tree.children)))


def groups_in_part(tree):
    """The groups of which a share must come out that is neither one nor all."""
    if not isinstance(tree, Leaf):
        yield from [tree] if 0 < tree.share < 1 else []
        for child in tree.children:
            yield from groups_in_part(child)


# -- worlds that may contradict a claim ----------------------------------------------------


def inverted(tree, world):
    """All subjects at the wrong end."""
    return moved(world, tree.leaves)


def above(tree, world):
    """What must be equal, far on the other side."""
    margins = any(leaf.at_least == -leaf.at_most for leaf in tree.leaves)
    return moved(world, tree.leaves, FAR) if margins else None


def opposed(tree, world):
    """The first of two models far ahead in robust and far behind in natural accuracy."""
    leaves = [leaf for leaf in tree.leaves if len({k.measure for k in leaf.keys}) == 1]
    ends = {k: 100.0 if k.measure == "robust" else 0.0 for leaf in leaves for k in subject(leaf)}
    both = {k.measure for k in ends} == {"robust", "natural"}
    return changed(world, ends) if both else None


def one_place(tree, world):
    """One comparison of many the wrong way: enough against what is said of every place."""
    return moved(world, tree.leaves[-1:]) if universal(tree.tree) else None


def half_of_places(tree, world):
    """More exceptions than 'mostly' allows."""
    places = [child for one in groups_in_part(tree.tree) for child in one.children[::2]]
    leaves = [one if isinstance(one, Leaf) else one.children[0] for one in places]
    return moved(world, leaves) if leaves else None


def equal(tree, world):
    """Every accuracy the same."""
    same = {"natural": 70.0, "robust": 70.0, "feature_distance": 1.0}
    return changed(world, {k: same[k.measure] for k in tree.keys if k.measure in same})


def shuffled(tree, world):
    """Numbers dealt anew to the claim's models."""
    keys = sorted(tree.keys, key=repr)
    values = np.random.default_rng(1).permutation([mean(world, k) for k in keys])
    return changed(world, dict(zip(keys, values, strict=True)))


#: Extreme worlds leave no doubt.
EXTREME = (inverted, above, opposed, one_place)
MUTATIONS = (*EXTREME, half_of_places, equal, shuffled)


@pytest.mark.parametrize("claim", CLAIMS)
def test_no_claim_survives_what_contradicts_it(claim, trees, papers_world):
    tree, killed, survivors = trees[claim], [], {}
    for mutate in MUTATIONS:
        mutant = mutate(tree, papers_world)
        if mutant is None or holds(tree.tree, partial(mean, mutant)):
            continue
        row = verdict(claim, mutant)
        allowed = {CONTRADICTED} if mutate in EXTREME else {CONTRADICTED, UNDECIDED}
        if row["verdict"] in allowed:
            killed.append(mutate.__name__)
        else:
            survivors[mutate.__name__] = (row["verdict"], row["decided_by"], row["effect"])
    print(f"{claim}: {len(killed)} of {len(killed) + len(survivors)} killed: {', '.join(killed)}")
    assert survivors == {}
    assert {mutate.__name__ for mutate in EXTREME} & set(killed)
    printed = any(address.constant for leaf in tree.leaves for _, address in leaf.terms)
    if {one.word for one in CLAIMS[claim].test.comparisons()} <= DIFFERENCES and not printed:
        assert "equal" in killed


# -- worlds with too little ------------------------------------------------------------------


def no_cells(tree, world):
    """Nothing measured."""
    return {}, {WITHOUT}


def one_seed(tree, world):
    """A single seed; what is counted needs no second, and sources of another seed are gone."""
    counted = all(key.measure in COUNTS for key in tree.keys)
    rows = {k: {0: by[0]} for k, by in world.rows.items() if k.source_seed != "other"}
    return rows, {SUPPORTED} if counted else {UNDECIDED, WITHOUT}


def short_of_cells(tree, world):
    """One comparison is not measured yet; others may still contradict what is said of all."""
    gone = tree.leaves[-1].keys
    rows = {k: by for k, by in world.rows.items() if k not in gone}
    return (rows, {CONTRADICTED, UNDECIDED, WITHOUT}) if universal(tree.tree) else None


@pytest.mark.parametrize("claim", CLAIMS)
def test_no_claim_is_supported_by_too_few_cells(claim, trees, papers_world):
    for starve in (no_cells, one_seed, short_of_cells):
        if starved := starve(trees[claim], papers_world):
            rows, allowed = starved
            row = verdict(claim, Numbers(rows, papers_world.matrix))
            assert row["verdict"] in allowed, starve.__name__

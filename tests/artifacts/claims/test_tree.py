"""What is said of claims whose cells are missing, or are of stand-ins."""

import pandas as pd
import pytest

from tests.artifacts.claims.one_claim import made_up, verdict
from tests.artifacts.claims.world import world_frame
from workflow.artifacts.claims import claim_cells
from workflow.artifacts.claims.numbers import Numbers, planned
from workflow.artifacts.claims.paper import papers_plan
from workflow.artifacts.claims.tree import compiled
from workflow.artifacts.claims.verdicts import all_verdicts
from workflow.matrix import Matrix


def without(matrix, **experiments):
    """The paper's matrix with other experiments."""
    config = matrix.config
    changed = {
        name: config.experiments[name].model_copy(update=change)
        for name, change in experiments.items()
    }
    return Matrix(config.model_copy(update={"experiments": config.experiments | changed}))


@pytest.fixture(scope="module")
def short(matrix, papers_world):
    """The paper's world in a config without keep ratios above 0.6."""
    ratios = {
        name: {"keep_ratios": [k for k in experiment.keep_ratios if k <= 0.6]}
        for name, experiment in matrix.config.experiments.items()
    }
    return Numbers(papers_world.rows, without(matrix, **ratios))


@pytest.fixture(scope="module")
def unmeasured(demo):
    """The verdicts on a demo without any cell."""
    return all_verdicts(Numbers({}, demo), planned(demo)).rows


def test_a_range_that_the_config_lacks_is_named_and_cannot_be_supported(short):
    row = verdict("extremes_inferior", short)
    assert row["verdict"] == "undecided"
    assert row["reason"] == "a part of the statement has no cells"
    assert "keep ratio 0.01 … 0.4 (8 values) of 0.01 … 0.9 (11 values)" in row["coverage"]
    row = verdict("large_ratios_random", short)
    assert row["verdict"] == "without cells"
    # Only what the whole config lacks, not every axis of comparisons that are incomplete.
    assert row["coverage"].startswith("without keep ratio ")
    assert ";" not in row["coverage"]


def test_a_partial_range_is_named_beside_the_verdict(short):
    row = verdict("pgd7_search_best", short)
    assert row["verdict"] == "supported"
    assert row["coverage"] == "on keep ratio 0.01 … 0.6 (11 values) of 0.01 … 0.9 (14 values)"
    test = {
        "every": {"keep_ratio": [0.5, 0.6, 0.7]},
        "test": {"of": {"model": "rst"}, "minus": {"model": "dense_adversarial"}, "is": "decent"},
    }
    row = verdict("made_up", short, made_up(test))
    assert row["coverage"] == "on keep ratio 0.5 and 0.6 of 0.5, 0.6 and 0.7"


def test_a_mean_is_over_the_keep_ratios_that_both_sides_have(matrix, papers_world):
    few = without(matrix, finetuning={"keep_ratios": [0.1, 0.2]})
    rst = {"model": "rst", "keep_ratio": [0.05, 0.1, 0.2]}
    test = {"of": rst, "minus": {**rst, "model": "finetuned_inherited"}, "is": "comparable"}
    row = verdict("made_up", Numbers(papers_world.rows, few), made_up(test))
    assert row["coverage"] == "on keep ratio 0.1 and 0.2 of 0.05, 0.1 and 0.2"


def test_cells_that_are_still_missing_leave_a_claim_open(matrix, papers_world):
    rows = {k: by for k, by in papers_world.rows.items() if k.keep_ratio != 0.2}
    row = verdict("rst_comparable_robust", Numbers(rows, matrix))
    assert row["verdict"] == "undecided"
    assert row["reason"] == "24 of 28 comparisons measured"
    row = verdict("rst_comparable_natural", Numbers(rows, matrix))
    assert row["verdict"] == "contradicted"  # which more cells cannot change


def test_one_seed_has_the_strongest_adversary_without_other_seeds(matrix, claims, trees):
    plan = planned(Matrix(matrix.config.model_copy(update={"seeds": (0,)})))
    (claim,) = (c for c in claims.claims if c.id == "r2s_gain_survives")
    tree = compiled(claims, claim.test, plan)
    assert len(tree.leaves) == 4
    assert "on source seed own of" in tree.coverage(trees[claim.id], plan)
    assert not any(key.source_seed == "other" for key in tree.keys)
    assert plan.has(tree.keys)


def test_config_yaml_has_every_number_that_a_claim_asks_for(trees, claims):
    class Everything(Numbers):
        def has(self, keys):
            return True

    plan = papers_plan()
    for claim in claims.claims:
        wanted = compiled(claims, claim.test, Everything(plan.rows, plan.matrix))
        assert trees[claim.id] == wanted, claim.id


def test_a_config_of_two_experiments_has_verdicts(matrix):
    few = {name: matrix.config.experiments[name] for name in ("dense", "existence")}
    small = Matrix(matrix.config.model_copy(update={"experiments": few}))
    rows = all_verdicts(Numbers({}, small), planned(small)).rows.set_index("claim")
    assert set(rows["verdict"]) == {"without cells"}
    assert rows.loc["rst_comparable_robust", "reason"] == "not yet measured"
    assert rows.loc["r2s_always_gains", "reason"] == "not in this config"


def test_an_experiment_with_fewer_keep_ratios_than_the_papers_is_named(matrix, papers_world):
    few = without(matrix, r2s={"keep_ratios": [0.05, 0.1]})
    row = verdict("r2s_gain_pgd20", Numbers(papers_world.rows, few))
    assert "keep ratio 0.05 and 0.1 of 0.05 … 0.3 (6 values)" in row["coverage"]


def test_other_epochs_and_the_order_of_rows_change_nothing(matrix, claims):
    names = ("rst_comparable_natural", "transfer_diagonal", "r2s_gain_pgd20", "feature_distances")
    few = tuple(claim for claim in claims.claims if claim.id in names)
    claims = claims.model_copy(update={"claims": few})
    frame = world_frame()
    frame = frame[frame["dataset"] == "cifar10"]
    mixed = pd.concat([frame.assign(selection="last", value=0.0), frame])
    mixed = mixed.sample(frac=1, random_state=0)
    columns = ["claim", "verdict", "effect"]
    pd.testing.assert_frame_equal(
        *(
            all_verdicts(Numbers.measured(one, matrix), papers_plan(), claims).rows[columns]
            for one in (mixed, frame)
        )
    )


def test_a_stand_in_is_marked(unmeasured):
    found = unmeasured[unmeasured["places_in_config"] > 0]
    assert len(found) > 45
    assert found["stand_in"].all()
    assert found["data"].str.contains(r"Digits.* for (?:CIFAR|SVHN|ImageNet)").all()


def test_the_claims_read_just_the_cells_that_they_need(matrix, demo):
    cells = claim_cells(matrix)
    assert len(cells) == len(set(cells))
    assert set(cells) < set(matrix.all_cells())
    every = {cell.path for cell in matrix.all_cells()}
    read = {cell.path for cell in cells}
    for part, compared in (
        ("/bandits-eps8", True),
        ("/transfer_to_other_seeds-", True),
        ("/feature_distance", True),
        # What is measured for tables and figures, and compared by no claim.
        ("/bandits_untiled-", False),
        ("/resnet18_released/", False),
    ):
        assert any(part in path for path in every), part
        assert any(part in path for path in read) == compared, part
    assert claim_cells(demo)


def test_every_claim_has_a_place_in_the_demo_or_is_said_not_to_be_there(unmeasured):
    found = unmeasured.set_index("claim")
    assert found.loc["large_ratios_random", "places_in_config"] > 0
    absent = found.index[found["reason"] == "not in this config"]
    print(f"without places in the demo: {', '.join(absent)}")
    assert len(absent) < 30

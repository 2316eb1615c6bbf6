"""From the frame of all cells to the numbers of an artifact: which cells make which number."""

import numpy as np
import pandas as pd
import pytest

from rst_core.identity import Dense, Ticket, TransferRow
from tests.artifacts.tables.made_up_tables import made_up, of_table
from workflow.artifacts.numbers import selection
from workflow.artifacts.numbers.keyed import Keyed
from workflow.artifacts.numbers.models import Models
from workflow.artifacts.tables.entries import TABLES

PGD = selection.Measure("pgd20", 8.0)
RST = Models("resnet18", "cifar10", "rst")


def values(selector, frame, matrix):
    return selector.values(Keyed.measured(frame, matrix))


def test_r2s_is_the_mean_of_the_matrix_and_its_natural_accuracy_that_over_members(paper):
    ratios = paper.config.experiments["r2s"].keep_ratios

    def robust(cell, target):
        if not isinstance(cell, TransferRow):
            return 33
        own = 40 if target == cell.model else 0
        return 10 * target.network.seed + ratios.index(target.keep_ratio) + 50 - own

    def only_r2s(cell, target):
        return robust(cell, target) if getattr(target, "keep_ratio", 0.05) in ratios else 99

    data = TABLES["table3"].build(of_table("table3", paper, robust=only_r2s), paper)
    data = data.set_index(["row", "column"])
    r2s = data.loc[("wideresnet32/r2s", "cifar100/robust")]
    assert r2s["mean"] == pytest.approx(10 + 2.5 + 50 - 40 / 6)
    assert r2s["spread"] == pytest.approx(10.0)
    assert r2s["difference"] == pytest.approx(r2s["mean"] - 43.27)
    assert data.loc[("wideresnet32/r2s", "cifar100/natural"), "mean"] == pytest.approx(61.0)
    assert data.loc[("resnet18/dense", "cifar10/robust"), "mean"] == pytest.approx(33.0)


def test_a_seed_with_a_hole_is_left_out_and_not_averaged_over(paper):
    def hole(cell):
        keep_ratio = getattr(cell.model, "keep_ratio", None)
        return cell.model.network.seed == 1 and keep_ratio == 0.1

    cells = [c for c in TABLES["table3"].cells(paper) if not hole(c)]
    data = TABLES["table3"].build(made_up(paper, cells), paper).set_index(["row", "column"])
    assert data.loc[("resnet18/r2s", "cifar10/robust"), "seeds"] == 2
    frame = of_table("table5", paper)
    member = (frame["keep_ratio"] == 0.1) & (frame["seed"] == 1) & frame["candidates"].notna()
    data = TABLES["table5"].build(frame[~member], paper).set_index(["row", "column"])
    assert data.loc[("resnet18/r2s", "cifar10/eot_pgd20-eps8"), "seeds"] == 2


def test_an_adaptive_attack_counts_as_the_mean_over_members(paper):
    def robust(cell, target):
        return round(100 * target.keep_ratio) if isinstance(target, Ticket) else 50

    frame = of_table("table5", paper, robust=robust)
    found = selection.adaptive(
        RST, (0.05, 0.07, 0.1, 0.15, 0.2, 0.3), selection.Measure("eot_pgd20", 8.0)
    )
    assert values(found, frame, paper)["value"].tolist() == pytest.approx([14.5] * 3)
    other_set = selection.adaptive(RST, (0.05, 0.07), selection.Measure("eot_pgd20", 8.0))
    assert values(other_set, frame, paper).empty


def test_another_seeds_ticket_is_never_the_seeds_own(paper):
    def robust(cell, target):
        return 0 if cell.model == target else 10 + target.network.seed

    frame = of_table("table7", paper, robust=robust)
    ticket = Models("resnet18", "cifar10", "rst", 0.05)
    found = values(selection.transferred(ticket, ticket, PGD, "other_seeds"), frame, paper)
    assert found["value"].tolist() == [10, 11, 12]
    data = TABLES["table7"].build(frame, paper).set_index(["row", "column"])
    assert data.loc[("dense_natural", "dense_natural"), "mean"] == 0
    assert data.loc[("same_ratio_other_seed", "0.05"), "mean"] == pytest.approx(11)


def test_a_table_of_other_seeds_is_over_all_seeds_of_its_experiment(demo):
    """The demo has one seed, and the experiment of Table 7's last row two."""

    def robust(cell, target):
        return 0 if cell.model == target else 10 + 20 * target.network.seed

    data = TABLES["table7"].build(of_table("table7", demo, robust=robust), demo)
    row = data.set_index(["row", "column"]).loc[("same_ratio_other_seed", "0.2")]
    assert (row["mean"], row["seeds"]) == (20, 2)
    from_dense = data.set_index(["row", "column"]).loc[("dense_natural", "0.2")]
    assert from_dense["seeds"] == 1


def test_natural_accuracy_is_that_on_the_most_images(paper):
    models = [c for c in paper.cells("attacks") if isinstance(c.model, Dense)]
    few = made_up(paper, [c for c in models if c.attack == "auto_attack"], total=90)
    many = made_up(paper, [c for c in models if c.attack == "cw_inf"])
    for frame in (pd.concat([few, many]), pd.concat([many, few])):
        found = selection.evaluated(
            Models("resnet18", "cifar10", "dense_adversarial"), selection.NATURAL
        )
        assert values(found, frame, paper)["value"].tolist() == [60, 61, 62]


def test_weights_are_counted_in_millions(paper):
    frame = made_up(paper, paper.cells("existence"))
    models = Models("wideresnet32", "cifar10", "rst", 0.1)
    found = {
        what: values(selection.counted(models, what), frame, paper)["value"].tolist()
        for what in ("kept", "all", "sparsity")
    }
    assert found == {"kept": [0.2] * 3, "all": [2.0] * 3, "sparsity": pytest.approx([90.0] * 3)}


def test_a_number_carries_the_flags_of_everything_it_is_made_of(paper):
    frame = of_table("table3", paper)
    rst = frame["source_model"] == "rst"
    one = rst & (frame["seed"] == 2) & (frame["keep_ratio"] == 0.3)
    frame["flags"] = np.where(one & (frame["measure"] == "robust"), "b;a", None)
    frame.loc[rst & (frame["keep_ratio"] == 0.05) & (frame["measure"] == "robust"), "flags"] = "c"
    found = values(selection.switched(RST, (0.05, 0.3), PGD), frame, paper)
    assert found["flags"].tolist() == ["c", "c", "a;b;c"]
    data = TABLES["table3"].build(frame, paper).set_index(["row", "column"])
    assert data.loc[("resnet18/r2s", "cifar10/robust"), "flags"] == "a;b;c"
    assert data.loc[("resnet18/r2s", "cifar10/natural"), "flags"] == ""


def test_numbers_of_another_epoch_are_not_counted(paper):
    frame = of_table("table3", paper)
    other = frame.assign(selection="last", value=0.0)
    both = TABLES["table3"].build(pd.concat([other, frame], ignore_index=True), paper)
    pd.testing.assert_frame_equal(both, TABLES["table3"].build(frame, paper))


def test_a_number_is_on_as_many_images_as_the_seed_with_the_fewest(paper):
    frame = of_table("table3", paper)
    mine = (frame["model"] == "dense_adversarial") & (frame["network"] == "resnet18")
    mine &= (frame["dataset"] == "cifar10") & (frame["measure"] == "robust") & (frame["seed"] == 1)
    assert mine.any()
    frame.loc[mine, "total"] = 7
    data = TABLES["table3"].build(frame, paper).set_index(["row", "column"])
    assert data.loc[("resnet18/dense", "cifar10/robust"), "images"] == 7

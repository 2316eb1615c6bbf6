"""The benchmarks' own functions, and each of them once at toy size."""

from __future__ import annotations

import torch

from benchmarks import attacking, gpu, resources, search, steps
from benchmarks.ratios import Ratio, quotients, ratio_table, ratios_csv, take_turns
from rst_core.measures.evaluation import attack_and_evaluate

CPU = torch.device("cpu")
WIDTH = 1 / 16


def narrow():
    return steps.network(WIDTH, CPU)


def test_variants_take_turns_back_and_forth_after_a_call_that_does_not_count():
    calls: list[str] = []
    works = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = take_turns(works, 2)
    assert calls == list("ababba")
    assert [len(took) for took in times.values()] == [2, 2]


def test_a_ratio_is_judged_by_its_median_and_its_sense():
    values = quotients([2.0, 9.0, 1.0], [2.0, 3.0, 1.0])
    assert values == (1.0, 3.0, 1.0)
    assert Ratio("a", "b", values, "at most", 1.5).reached is True
    assert Ratio("a", "b", values, "at least", 1.5).reached is False


def test_the_table_shows_median_range_rounds_and_verdict():
    missed = Ratio("step", "limit", (1.1, 1.3, 1.2), "at most", 1.05, "2 s")
    reached = Ratio("rows", "each", (3.0,), "at least", 2)
    first, second = (
        [word.strip() for word in line.strip("|").split("|")]
        for line in ratio_table([missed, reached]).splitlines()[2:]
    )
    assert first == ["step", "limit", "1.2", "1.1–1.3", "3", "≤ 1.05", "**missed**", "2 s"]
    assert second == ["rows", "each", "3", "–", "1", "≥ 2", "reached", ""]
    rows = ratios_csv([missed, reached]).splitlines()
    assert len(rows) == 5
    assert rows[-1] == "rows,each,0,3,at least,2,"


def test_the_plain_evaluation_has_the_outcomes_of_ours():
    ratio = attacking.pgd_evaluation(1, count=24, pixels=16, width=WIDTH)
    assert "0 outcomes differ" in ratio.remark
    share = int(ratio.remark.split(" % robust")[0])
    assert 25 < share < 75


def test_a_transfer_row_has_the_outcomes_of_an_attack_for_each_target(monkeypatch):
    attacks = []

    def noted(source, targets, *rest):
        attacks.append(len(targets))
        return attack_and_evaluate(source, targets, *rest)

    monkeypatch.setattr(attacking, "attack_and_evaluate", noted)
    ratio = attacking.transfer_row(1, count=24, pixels=16, width=WIDTH, targets=3)
    assert "0 outcomes differ" in ratio.remark
    # Each way once before it counts.
    assert sorted(attacks) == [*[1] * 6, 3, 3]


def test_the_limit_and_ours_attack_the_same_way():
    """At keep ratio 1 nothing is masked: batch norms must have seen the same kind of batches."""
    images, labels = steps.batch(8, 16, CPU)
    for build in (steps.ours, steps.limit, steps.released):
        model = narrow()
        torch.manual_seed(0)
        options = {} if build is steps.limit else {"keep_ratio": 1.0}
        build(model, **options)(images, labels)
        norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        assert {int(n.num_batches_tracked) for n in norms} == {8}, build


def test_search_steps_give_a_line_for_each_comparison(monkeypatch):
    monkeypatch.setattr(search, "FASTER", {8: 2.9})
    found = search.search_steps(1, WIDTH)
    assert [r.target for r in found] == [1.05, 2.9, 1.05, 4.0]
    # The bounds that rounds differ by have more of them.
    assert [len(r.values) for r in found] == [5, 1, 5, 1]


def test_plan_and_status_of_many_cells_are_timed():
    plan, status = resources.status(1, seeds=1)
    assert plan.what.startswith("rst plan of 1,")
    assert status.target == 10


def test_the_gpus_functions_run_on_the_cpu(monkeypatch):
    monkeypatch.setattr(gpu, "IN_A_ROW", 1)
    before = torch.backends.cudnn.allow_tf32
    rows = gpu.measure(CPU, 1, size=4, width=WIDTH)
    assert len(rows) == 3 * 4 + 1 + len(gpu.MASKS)
    assert all(milliseconds > 0 for milliseconds in rows.values())
    assert gpu.milliseconds_table(rows).count("\n") == len(rows) + 1
    assert torch.backends.cudnn.allow_tf32 is before


def test_the_ways_to_make_a_mask_make_the_same_mask():
    scores = torch.randn(8, 8, 3, 3, generator=torch.Generator().manual_seed(0))
    ours, *others = (make(scores) for make in gpu.MASKS.values())
    assert all(torch.equal(ours, other) for other in others)

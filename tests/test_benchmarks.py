"""The benchmarks' own functions, and each of them once at toy size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.func import functional_call

from benchmarks import attacking, demo, document, gpu, precision, profile, search, sharing, steps
from benchmarks.ratios import Ratio, quotients, take_turns
from benchmarks.victim import DIGITS, Victim, pgd20
from rst_core.data import Images, Splits
from rst_core.settings import training_attack
from rst_core.trainee import MaskTrainee
from rst_core.vocabulary import Architecture, Pattern, Precision, SearchMethod

from .conftest import DIGITS as SMALL_DIGITS
from .conftest import ROOT

CPU = torch.device("cpu")
WIDTH = 1 / 16

LOG = """\
  Date: 2026-11-21 13:56:10
  Command: .venv/bin/snakemake --profile demo all
Provided cores: 2
Elapsed time: {elapsed}
"""


def narrow():
    return steps.network(Architecture.PREACT_RESNET18, WIDTH, CPU)


@pytest.fixture(scope="module")
def victim() -> Victim:
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (24, 3, 16, 16), generator=rng, dtype=torch.uint8)
    model = narrow().requires_grad_(False)
    model.train()(pixels / 255)
    model.eval()
    labels = model(pixels / 255).argmax(1)
    return Victim(model, Images(pixels, labels), pgd20(0.5), 0.5)


# -- ratios and the page --------------------------------------------------------------


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
    assert Ratio("a", "b", values, "at least", None).reached is None


def test_the_table_shows_median_range_rounds_and_verdict():
    missed = Ratio("step", "limit", (1.1, 1.3, 1.2), "at most", 1.05, "2 s")
    informs = Ratio("rows", "each", (3.0,), "at least", None)
    lines = document.ratio_table([missed, informs]).splitlines()[2:]
    assert lines[0] == "| step | limit | 1.2 | 1.1–1.3 | 3 | ≤ 1.05 | **missed** | 2 s |"
    assert lines[1] == "| rows | each | 3 | – | 1 | – |  |  |"
    rows = document.ratios_csv([missed, informs]).splitlines()
    assert len(rows) == 5
    assert rows[-1] == "rows,each,0,3,at least,,"


def test_the_page_has_a_place_for_every_part():
    text = (ROOT / "docs" / "performance.md").read_text()
    for name in ("machine", "ratios", "precision", "gpu", "profile", "growth"):
        assert f"<!-- measured: {name} -->" in text


# -- the demo's wall time -------------------------------------------------------------


def test_a_log_of_the_demo_gives_its_length_and_cores():
    found = demo.invocation(LOG.format(elapsed="1:02:03.5"))
    assert found is not None
    assert (found.seconds, found.cores) == (3723.5, 2)
    longer = demo.invocation(LOG.format(elapsed="1 day, 0:00:01.0"))
    assert longer is not None
    assert longer.seconds == 86401


@pytest.mark.parametrize(
    "log",
    [
        LOG.partition("Elapsed")[0],
        LOG.format(elapsed="0:00:01.0").replace("profile demo", "profile slurm"),
        "",
    ],
)
def test_an_unfinished_or_another_run_is_no_demo(log):
    assert demo.invocation(log) is None


def test_the_demos_ratio_counts_a_training_once_and_runs_that_made_cells_only():
    run = demo.invocation(LOG.format(elapsed="0:01:40.0"))
    assert run is not None
    later = replace(run, start=run.start.replace(hour=run.start.hour + 1))
    within = {"started": run.start.isoformat(), "wall_seconds": 80.0}
    other = {"started": run.start.replace(second=30).isoformat(), "wall_seconds": 60.0}
    before = {"started": "2020-01-01T00:00:00+00:00", "wall_seconds": 999.0}
    works = [demo.work(p) for p in (within, within, other, before)]
    found = demo.ratio([run, later], works)
    assert found is not None
    assert found.values == pytest.approx((100 / ((80 + 60) / 2),))
    assert demo.ratio([later], works) is None


def test_no_demo_is_said(tmp_path, capsys):
    assert demo.demo(tmp_path) == []
    assert "no demo here" in capsys.readouterr().err


# -- what is measured -----------------------------------------------------------------


def test_the_plain_evaluation_has_the_outcomes_of_ours(victim):
    (ratio,) = attacking.pgd_evaluation(victim, 1)
    assert "0 outcomes differ" in ratio.remark
    assert not any(p.requires_grad for p in victim.model.parameters())


def test_a_matrix_has_the_outcomes_of_its_pairs(victim):
    matrix, rows = attacking.transfer_matrix(victim, 1, tickets=2)
    assert "0 outcomes differ" in matrix.remark
    assert "0 outcomes differ" in rows.remark
    assert matrix.target == 6


def test_our_cw_inf_does_the_work_of_the_library_called_directly(victim):
    _, x, y = next(victim.images.evaluation_batches(24))
    spec = replace(attacking._cw_inf(victim.spec), steps=3)
    ours = attacking._ours(victim.model, x, y, spec)
    assert torch.equal(ours, attacking._direct_cw_inf(victim.model, x, y, spec))
    assert not torch.equal(ours, x)


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
    monkeypatch.setattr(search, "matrix_units", lambda: "units")
    found = search.search_steps(1, WIDTH)
    assert [r.target for r in found] == [1.05, 2.9, 1.05, 4.0]
    # The bounds that rounds differ by have more of them.
    assert [len(r.values) for r in found] == [5, 1, 5, 1]
    assert found[3].remark.endswith("; units")


def test_stacked_networks_answer_as_each_alone_and_train_as_each_alone():
    models = [narrow(), narrow()]
    trainees = [
        MaskTrainee(model, keep, Pattern.ELEMENT, seed=0)
        for model, keep in zip(models, (0.2, 0.5), strict=True)
    ]
    images, labels = steps.batch(8, 16, CPU)
    weights = [t.weights() for t in trainees]
    buffers = [{n: b.clone() for n, b in m.named_buffers()} for m in models]
    stacked = sharing.stacked_logits(
        models[0],
        {n: torch.stack([w[n] for w in weights]) for n in weights[0]},
        {n: torch.stack([b[n] for b in buffers]) for n in buffers[0]},
        images.expand(2, *images.shape),
    )
    for model, own, logits in zip(models, weights, stacked, strict=True):
        alone = functional_call(model, own, (images,))
        torch.testing.assert_close(logits, alone, atol=1e-4, rtol=1e-4)
    sharing.stack(trainees, training_attack(SearchMethod.PGD7, 8.0))(images, labels)
    gradients = [v.grad for t in trainees for v in t.variables.values()]
    assert all(g is not None and g.abs().sum() > 0 for g in gradients)


def test_the_gpus_functions_run_on_the_cpu():
    rows, ratios = gpu.measure(
        CPU, 1, size=4, width=WIDTH, matrix=64, networks=["ResNet18"], compiled=False
    )
    assert len(rows) == 3 * 4 + 1
    assert len(ratios) == 3 + 2
    assert all(row.milliseconds > 0 and row.fraction > 0 for row in rows)
    assert gpu.table(rows).count("\n") == len(rows) + 1


def test_operations_of_a_step_grow_with_the_batch_and_are_those_of_its_convolutions():
    count = gpu.step_operations(Architecture.PREACT_RESNET18, 1.0, 2)
    assert gpu.step_operations(Architecture.PREACT_RESNET18, 1.0, 6) == 3 * count
    # 0.556 G multiply-adds an image forward; 7 x 2 passes and 3 for the last step.
    assert count == pytest.approx(2 * 2 * 0.556e9 * 17, rel=0.02)


def test_a_compiled_network_uses_the_weights_it_is_given():
    model, (images, _) = narrow().eval(), steps.batch(2, 16, CPU)
    weights = MaskTrainee(model, 0.5, Pattern.ELEMENT, seed=0).weights()
    with torch.no_grad():
        plain = functional_call(model, weights, (images,))
        found = functional_call(gpu.compile_network(model, backend="eager"), weights, (images,))
    torch.testing.assert_close(found, plain)


def test_tf32_is_put_back():
    before = torch.backends.cudnn.allow_tf32
    with gpu.tf32(not before):
        assert torch.backends.cudnn.allow_tf32 is not before
    assert torch.backends.cudnn.allow_tf32 is before


def test_precision_compares_seed_by_seed(digits: Splits, tmp_path):
    splits = Splits(
        precision.few(digits, 128).train, digits.validation.first(20), digits.test.first(20)
    )
    found = [
        precision.search(splits, SMALL_DIGITS, p, seed, width=WIDTH, epochs=1, folder=tmp_path)
        for p in (Precision.FLOAT32, Precision.BFLOAT16)
        for seed in (0, 1)
    ]
    assert all(o.natural >= o.robust for o in found)
    lines = precision.table(found, 60).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:5]] == [
        "float32", "bfloat16", "difference",
    ]  # fmt: skip


def test_a_difference_is_taken_seed_by_seed_and_measured_in_standard_errors():
    assert precision._difference([12.0, 25.0], [10.0, 22.0]) == "+2.5 ± 0.5 (5.0)"
    assert precision._difference([1.0, 1.0], [1.0, 1.0]) == "+0.0 ± 0.0 (0.0)"


def test_few_images_are_of_all_classes(digits: Splits):
    order = digits.train.labels.argsort()
    by_class = replace(digits, train=digits.train.select(order))
    few = precision.few(by_class, 40).train
    assert len(few) == 40
    assert len(few.labels.unique()) == 10


def test_a_profile_names_the_operations_that_take_most():
    text = profile.summary("step", lambda: torch.randn(200, 200) @ torch.randn(200, 200), rows=3)
    assert text.startswith("step: ")
    assert len(text.splitlines()) == 4


def test_cells_that_the_sharing_benchmark_makes_exist(tmp_path):
    target = sharing._save_ticket(tmp_path, 0.2)
    data = tmp_path / "digits.json"
    words = sharing._command("attack", target.parent / "pgd20-eps8.json", data, 8, 2)
    from rst_core.cli import main
    from rst_core.flags import to_flags

    assert main(["data", str(data), *to_flags(DIGITS)]) == 0
    assert main(words) == 0
    assert Path(words[1]).is_file()

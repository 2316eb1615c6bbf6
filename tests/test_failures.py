"""What a workflow says at its end about the jobs that failed."""

from __future__ import annotations

import pytest

from workflow.failures import LINES, Failure, retry, summary

CELL = "results/cells/digits/tiny/signed_kaiming_constant-seed0/dense-natural/best_val/weights.pt"


def test_the_summary_has_the_end_of_the_log_and_the_command(tmp_path):
    log = tmp_path / "train.log"
    log.write_text("\n".join(f"line {i}" for i in range(20)) + "\n\n")
    failure = Failure("train", [CELL, "other"], [str(log)])
    text = summary(
        [failure],
        ["results/tables/table3.csv"],
        ["snakemake", "all_tables", "--profile", "slurm", "--configfile", "my config.yaml"],
    )
    assert text.startswith("1 job failed")
    assert f"failed: {CELL}\n" in text
    for i in range(20):
        assert (f"    line {i}\n" in text) == (i >= 20 - LINES)
    assert f"retry: snakemake {CELL} --profile slurm --configfile 'my config.yaml'\n" in text
    assert text.endswith("  results/tables/table3.csv")


@pytest.mark.parametrize("there", [True, False])
def test_a_job_killed_before_it_wrote_is_said_to_be(tmp_path, there):
    log = tmp_path / "train.log"
    if there:
        log.write_text("")
    text = summary([Failure("train", [CELL], [str(log)])], [], ["snakemake"])
    assert "was killed before it wrote" in text
    assert "not made" not in text


def test_jobs_are_counted_and_sorted():
    failures = [Failure("train", [name], []) for name in ("b", "a")]
    text = summary(failures, [], ["snakemake"])
    assert text.startswith("2 jobs failed")
    assert text.index("failed: a") < text.index("failed: b")


def test_only_targets_are_replaced():
    argv = ["/bin/snakemake", "-j", "4", "all_tables", "all_figures", "--profile=demo"]
    assert retry(argv, ["x"]) == "snakemake x -j 4 --profile=demo"

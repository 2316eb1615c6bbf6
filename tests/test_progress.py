"""What a person sees of a run: short lines, few of them, with numbers, and errors whole."""

from __future__ import annotations

import io
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import snakemake
from snakemake_interface_logger_plugins.common import LogEvent

from rst_core.curves import METRICS, Epoch, write_curve
from workflow.progress import EVERY, WIDTH, ProgressHandler

MODEL = "results/cells/digits/tiny/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8"
TICKET, ATTACK = (f"{MODEL}/best_val/{name}" for name in ("ticket.pt", "pgd20-eps8.json"))


class Run:
    """A run of Snakemake as its log records tell it, on a clock of its own."""

    def __init__(self, **stats: int) -> None:
        self.now, self.stream = 0.0, io.StringIO()
        self.progress = ProgressHandler(self.stream, lambda: self.now)
        self.log("", LogEvent.RUN_INFO, stats=stats | {"total": sum(stats.values())})

    def log(
        self, text: str, event: LogEvent | None, level: int = logging.INFO, **more: Any
    ) -> None:
        record = logging.makeLogRecord({"msg": text, "levelno": level, **more})
        if event is not None:
            record.event = event
        self.progress.handle(record)

    def start(self, number: int, rule: str, *files: str) -> None:
        self.log("", LogEvent.JOB_INFO, jobid=number, rule_name=rule, output=list(files))

    def finish(self, number: int, after: float) -> str:
        self.now += after
        self.log("", LogEvent.JOB_FINISHED, job_id=number)
        return self.lines[-1]

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_lines_are_short_and_hardly_more_than_jobs():
    files = [TICKET, ATTACK, "", "x" * 300, f"results/cells/{'/'.join(['a' * 90] * 5)}"]
    run = Run(**{str(number) * 50: 1 for number in range(5)})
    for number, file in enumerate(files):
        run.start(number, str(number) * 50, file)
    for number in range(5):
        run.finish(number, 1e5)
    assert all(len(line) <= WIDTH for line in run.lines)
    assert len(run.lines) <= 2 + len(files)


def test_what_is_running_is_said_now_and_then():
    run = Run(search=100)
    for number in range(100):
        run.start(number, "search", TICKET)
        run.now += EVERY / 10
    told = [line for line in run.lines if line.startswith("running: search rst 0.2 ")]
    assert len(told) == 10


def test_a_finished_cell_shows_its_accuracies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(ATTACK).parent.mkdir(parents=True)

    def curve(*measured: tuple[float, float | None]) -> list[dict[str, Any]]:
        epochs = enumerate(measured, 1)
        return [asdict(Epoch(n, 0.1, 1.0, 50.0, *accuracies)) for n, accuracies in epochs]

    write_curve(Path(MODEL, METRICS), curve((98.5, 71.0), (99.0, 64.0)))
    write_curve(Path("dense", METRICS), curve((80.0, None), (90.0, None)))
    judged = {"natural": {"correct": 9, "total": 10}, "robust": {"correct": 1, "total": 8}}
    Path(ATTACK).write_text(json.dumps({"results": [judged]}))
    run = Run(search=1, attack=1, figure=1, train=1)
    for number, (rule, file) in enumerate(
        [
            ("search", TICKET),
            ("attack", ATTACK),
            ("figure", "results/figures/fig1.csv"),
            ("train", "dense/last/weights.pt"),
        ]
    ):
        run.start(number, rule, f"{file} (update)")
    assert "1/4" in run.finish(0, 7)
    assert "validation natural 98.5, robust 71.0 (7 s)" in run.lines[-1]
    assert "attack pgd20 eps8 rst 0.2 digits tiny s0" in run.finish(1, 0)
    assert "natural 90.0, robust 12.5" in run.lines[-1]
    assert run.finish(2, 0).endswith("figure results/figures/fig1.csv (7 s)")
    assert "validation natural 90.0 (7 s)" in run.finish(3, 0)


def test_the_time_left_is_that_of_finished_jobs_of_the_rule_at_the_pace_so_far():
    run = Run(search=4, attack=4)
    for number in range(4):  # two at a time, ten seconds each
        run.start(number, "search", TICKET)
        if number % 2:
            run.finish(number - 1, 10)
            run.finish(number, 0)
    run.start(4, "attack", ATTACK)
    run.start(5, "attack", ATTACK)
    assert "10 s left" in run.finish(4, 10), "one is nearly done, two of ten seconds are to come"
    run.finish(5, 0)
    run.start(6, "attack", ATTACK)
    run.start(7, "attack", ATTACK)
    run.finish(6, 10)
    assert "0 s left" in run.finish(7, 0)
    run.progress.close()
    assert run.lines[-1] == "8 of 8 jobs in 40 s."


def test_the_time_left_is_not_told_from_searches_alone():
    run = Run(search=4, attack=5)
    for number in range(4):
        run.start(number, "search", TICKET)
        assert " left" not in run.finish(number, 100)
    run.start(4, "attack", ATTACK)
    assert "4 s left" in run.finish(4, 1)


def test_a_failed_job_is_shown_whole_with_its_log(tmp_path):
    log = tmp_path / "cell.log"
    text = [f"line {number} of a traceback" for number in range(40)]
    log.write_text("\n".join(text))
    run = Run(attack=1)
    run.log(
        "Error in rule attack", LogEvent.JOB_ERROR, logging.ERROR,
        rule_name="attack", jobid=1, input=[], output=[ATTACK], log=[str(log)], aux={},
        conda_env=None, shellcmd=None, rule_msg=None,
    )  # fmt: skip
    assert set(text) <= set(run.lines)
    assert any(ATTACK in line for line in run.lines)


def test_of_plain_messages_only_our_own_and_warnings_are_shown():
    run = Run(attack=1)
    before = run.lines
    run.log("Select jobs to execute...", None, pathname=snakemake.__file__)
    assert run.lines == before
    run.log("watch out", None, logging.WARNING, pathname=snakemake.__file__)
    run.log("a cell is in work", None, pathname="workflow/rules/run.smk")
    assert run.lines[len(before) :] == ["watch out", "a cell is in work"]

"""What measures a device runs on one: a lent GPU's minutes are too few to find this out there."""

from __future__ import annotations

import measurements.paper_scale.speed
import workflow.plan.measure
from benchmarks import gpu as gpu_benchmark
from benchmarks import sharing, steps
from rst_core.settings import training_attack
from rst_core.trainee import MaskTrainee
from rst_core.vocabulary import Architecture, Pattern, SearchMethod
from tests.plan.examples import jobs_of, project_in
from tests.test_paper_scale import TINY
from workflow.plan.wanted import Wanted, wanted


def test_the_benchmark_for_a_gpu(gpu, monkeypatch):
    monkeypatch.setattr(gpu_benchmark, "IN_A_ROW", 1)
    rows, ratios = gpu_benchmark.measure(
        gpu, 1, size=4, width=1 / 16, matrix=64, networks=["ResNet18"], compiled=False
    )
    assert len(rows) == 3 * 4 + 1
    assert len(ratios) == 3 + 2


def test_searches_side_by_side(gpu):
    models = [steps.network(Architecture.PREACT_RESNET18, 1 / 16, gpu) for _ in range(2)]
    trainees = [MaskTrainee(model, 0.5, Pattern.ELEMENT, seed=0) for model in models]
    images, labels = steps.batch(8, 16, gpu)
    sharing.stack(trainees, training_attack(SearchMethod.PGD7, 8.0))(images, labels)


def test_the_step_times_of_the_papers_scale(gpu, monkeypatch):
    monkeypatch.setattr(measurements.paper_scale.speed, "default_device", lambda: gpu)
    monkeypatch.setitem(measurements.paper_scale.speed._SIDES, gpu.type, 64)
    found = measurements.paper_scale.speed.measure(TINY, compiling=False)
    assert all("seconds" in timed for timed in found["steps"])
    assert set(found["masks"]) == {"top_k_mask", "sorting", "kthvalue"}
    assert all(seconds > 0 for seconds in found["training"].values())


def test_a_calibration(gpu, tmp_path, monkeypatch):
    monkeypatch.setattr(workflow.plan.measure, "default_device", lambda: gpu)
    project = project_in(tmp_path)
    want = wanted(project.matrix, [job.cell for job in jobs_of(project, "fig7", "cells_attacks")])
    small = Wanted(want.networks, want.attacks, want.datasets, batch=4)
    found = workflow.plan.measure.calibrate(small, limit=0.01)
    assert found.device_type == gpu.type
    assert len(found.networks) == len(want.networks)

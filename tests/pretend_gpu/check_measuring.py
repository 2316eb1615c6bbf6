"""What measures a device runs on one: a lent GPU's minutes are too few to find this out there."""

from __future__ import annotations

from benchmarks import gpu as gpu_benchmark


def test_the_benchmark_for_a_gpu(gpu, monkeypatch):
    monkeypatch.setattr(gpu_benchmark, "IN_A_ROW", 1)
    rows = gpu_benchmark.measure(gpu, 1, size=4, width=1 / 16)
    assert len(rows) == 3 * 2 + 1 + 1

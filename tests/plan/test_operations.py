"""Operations of a network, counted once."""

from __future__ import annotations

from pathlib import Path

import pytest

from rst_core.settings import NetworkSettings
from rst_core.vocabulary import Architecture
from tests.plan.examples import ONE
from workflow.plan import operations
from workflow.plan.operations import Counter, count


def test_operations_of_a_known_network() -> None:
    found = count(NetworkSettings(architecture=Architecture.PREACT_RESNET18), 10, 32)
    assert found.forward == pytest.approx(2 * 0.556e9, rel=0.01)  # two a multiply-add
    assert found.gradient == pytest.approx(2 * found.forward, rel=0.01)
    assert found.update == pytest.approx(3 * found.forward, rel=0.01)
    assert found.weights == pytest.approx(11.2e6, rel=0.01)


def test_a_network_is_counted_once_and_anew_when_the_source_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, settings = tmp_path / "c.json", NetworkSettings(architecture=Architecture.RESNET18)
    calls: list[int] = []

    def counted(settings: NetworkSettings, classes: int, image_size: int) -> operations.Operations:
        calls.append(classes)
        return ONE

    monkeypatch.setattr(operations, "count", counted)
    for classes in (10, 10, 100):
        assert Counter(cache)(settings, classes, 32) == ONE
    assert calls == [10, 100]
    cache.write_text("{")  # a damaged cache is no error
    assert Counter(cache)(settings, 10, 32) == ONE
    monkeypatch.setattr(operations, "_digest_of_source", lambda: "another")
    assert Counter(cache)(settings, 10, 32) == ONE
    assert calls == [10, 100, 10, 10]

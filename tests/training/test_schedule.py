import dataclasses

import pytest

from rst_core.settings import TrainingSettings
from rst_core.training.schedule import learning_rate
from rst_core.vocabulary import Schedule


def test_the_papers_step_schedule():
    rates = [learning_rate(TrainingSettings(), e) for e in range(160)]
    assert rates[:80] == [0.1] * 80
    assert rates[80:120] == pytest.approx([0.01] * 40)
    assert rates[120:] == pytest.approx([0.001] * 40)


def test_cosine_falls_from_the_initial_rate_to_almost_zero_after_its_warm_up():
    settings = TrainingSettings(
        epochs=100, lr=0.256, schedule=Schedule.COSINE, decay_epochs=(), warmup_epochs=5
    )
    rates = [learning_rate(settings, e) for e in range(100)]
    assert rates[0] == pytest.approx(0.256 / 5)
    assert rates[5] == 0.256
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert 0 < rates[-1] < 0.001
    no_warm_up = dataclasses.replace(settings, warmup_epochs=0)
    shares = [learning_rate(no_warm_up, e) / 0.256 for e in (0, 25, 50, 75)]
    assert shares == pytest.approx([1, (2 + 2**0.5) / 4, 0.5, (2 - 2**0.5) / 4])

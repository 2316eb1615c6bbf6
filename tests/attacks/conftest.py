"""A narrow network, and images some of which lie at the walls of the box."""

import pytest
import torch

from tests.attacks.attack_examples import rng
from tests.conftest import narrow_classifier


@pytest.fixture(scope="module")
def model():
    return narrow_classifier().eval()


@pytest.fixture(scope="module")
def batch():
    images = torch.rand(24, 3, 8, 8, generator=rng(1))
    images[:4] = images[:4].round()  # at the walls of the box
    return images, torch.randint(0, 10, (24,), generator=rng(2))

"""Every check computes on the pretended device, as jobs on a GPU do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import rst_core.device.distributed
import rst_core.job.cells
from tests.pretend_gpu import device as pretend

CPU = torch.device("cpu")


@pytest.fixture(scope="session", autouse=True)
def registered() -> torch.device:
    return pretend.register()


@pytest.fixture
def gpu(registered: torch.device, monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.device]:
    """The device, with nothing noted yet."""
    monkeypatch.setattr(torch, "Generator", pretend.PretendGenerator)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # as default_device leaves it
    pretend.waits.clear()
    pretend.convolutions.clear()
    # Attacks that differentiate while they differentiate need one thread here.
    with torch.autograd.set_multithreading_enabled(False):
        yield registered


@pytest.fixture
def jobs_on_the_gpu(gpu: torch.device, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (rst_core.job.cells, rst_core.device.distributed):
        monkeypatch.setattr(module, "default_device", lambda: gpu)


def check_formats() -> None:
    """Every convolution had the memory format that is fast for what it computed in."""
    assert pretend.convolutions
    for found in pretend.convolutions:
        matrix_units = found.tf32 or found.dtype is torch.bfloat16
        wanted = torch.channels_last if matrix_units else torch.contiguous_format
        assert wanted in found.images, found
        assert wanted in found.weights, found


@pytest.fixture
def one_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both devices in the CPU's memory format, so that they round alike."""
    monkeypatch.setattr("rst_core.models.networks.memory_format", lambda *of: torch.channels_last)

"""Formats and precisions by device; what a GPU does with them is in tests/pretend_gpu."""

from __future__ import annotations

import pytest
import torch

from rst_core.device.arithmetic import in_force, memory_format, training_step
from rst_core.models.networks import to_device
from rst_core.vocabulary import Precision
from tests.conftest import narrow_classifier

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "precision", "wanted"),
    [
        (CPU, Precision.FLOAT32, torch.channels_last),
        (CPU, Precision.BFLOAT16, torch.channels_last),
        (GPU, Precision.FLOAT32, torch.contiguous_format),
        (GPU, Precision.TF32, torch.channels_last),
        (GPU, Precision.BFLOAT16, torch.channels_last),
    ],
)
def test_the_format_follows_device_and_precision(device, precision, wanted):
    assert memory_format(device, precision) is wanted


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("precision", list(Precision))
def test_a_step_leaves_things_as_it_found_them(precision, before, monkeypatch):
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    monkeypatch.setattr(cudnn, "benchmark", before)
    monkeypatch.setattr(cudnn, "allow_tf32", before)
    of_matrices = matmul.allow_tf32

    def fail() -> None:
        with training_step(precision, CPU):
            assert not torch.backends.cudnn.benchmark
            assert torch.is_autocast_enabled("cpu") == (precision is Precision.BFLOAT16)
            half = precision is Precision.BFLOAT16
            assert in_force(torch.ones(1)) == ("bfloat16" if half else "float32")
            assert cudnn.allow_tf32 == matmul.allow_tf32 == (precision is Precision.TF32)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert (cudnn.benchmark, cudnn.allow_tf32) == (before, before)
    assert matmul.allow_tf32 is of_matrices
    assert not torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("wanted", [torch.channels_last, torch.contiguous_format])
def test_a_model_answers_the_same_in_both_formats(wanted, monkeypatch):
    model, images = narrow_classifier().eval(), torch.rand(4, 3, 8, 8)
    with torch.no_grad():
        expected = model(images)
        monkeypatch.setattr("rst_core.models.networks.memory_format", lambda *of: wanted)
        assert to_device(model, CPU) is model
        for given in (images, images.contiguous(memory_format=torch.channels_last)):
            torch.testing.assert_close(model(given), expected, atol=1e-4, rtol=1e-4)
    for name, weight in model.named_parameters():
        if weight.dim() == 4:
            assert weight.is_contiguous(memory_format=wanted), name

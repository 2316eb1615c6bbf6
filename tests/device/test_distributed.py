"""Two processes give what one gives, to rounding."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from rst_core.data.images import Images
from rst_core.device import distributed
from rst_core.device.distributed import SINGLE_PROCESS, Share, process_group, share
from rst_core.storage import load_tensors
from rst_core.vocabulary import Source
from tests.device import several_processes

ROOT = Path(__file__).parents[2]


def torchrun(*words: str) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*launcher, "--nproc-per-node", "2", *words],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def alone() -> dict[str, Any]:
    assert share() == SINGLE_PROCESS
    return several_processes.measure()


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("together") / "results.pt"
    done = torchrun(several_processes.__file__, str(path))
    assert done.returncode == 0, done.stderr
    results: dict[str, Any] = load_tensors(path, "Measured")[1]
    return results


@pytest.mark.parametrize(
    ("run", "one"),
    [
        ("search", "search"),
        ("streamed", "streamed"),
        ("interrupted_search", "search"),
        ("interrupted_in_an_epoch_search", "search"),
    ],
)
def test_training_is_that_of_one_process(alone, together, run, one):
    found, expected = together[run], alone[one]
    for name, variable in expected["variables"].items():
        torch.testing.assert_close(found["variables"][name], variable, rtol=1e-7, atol=1e-9)
    for statistics in ("statistics", "best"):
        torch.testing.assert_close(found[statistics], expected[statistics], rtol=1e-6, atol=1e-8)
    assert found["metrics"] == expected["metrics"]
    for name, mask in expected.get("masks", {}).items():
        assert torch.equal(found["masks"][name], mask)


def test_all_processes_leave_when_one_is_told_to(together):
    assert together["left"] == 2


def test_outcomes_are_those_of_one_process(alone, together):
    for kind in ("natural", "robust"):
        assert torch.equal(together["outcomes"][kind], alone["outcomes"][kind])


def test_attack_gradients_see_the_whole_batch(alone, together):
    torch.testing.assert_close(together["input_gradient"], alone["input_gradient"])


@pytest.mark.parametrize(
    ("norm", "tolerance"), [("norm", 1e-5), ("cumulative_norm", 1e-5), ("bfloat16_norm", 2e-2)]
)
def test_batch_norm_is_that_of_the_global_batch(alone, together, norm, tolerance):
    assert together[norm].keys() == alone[norm].keys()
    for name, values in alone[norm].items():
        torch.testing.assert_close(together[norm][name], values, rtol=tolerance, atol=tolerance)


def test_all_batch_norms_are_united_and_only_with_several_processes(together):
    assert together["united_norms"] == (20, 20)
    assert several_processes.united_norms() == (0, 20)


def test_a_failure_of_one_process_ends_all():
    done = torchrun(several_processes.__file__, "fail")
    assert done.returncode != 0
    assert "one process fails" in done.stderr


def test_shares_of_images_in_memory_are_rows_of_the_batches_of_one_process():
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (30, 3, 8, 8), generator=rng, dtype=torch.uint8)
    images = Images(pixels, torch.arange(30))
    settings = several_processes.folder_settings(
        Path("nowhere"), source=Source.FOLDER, crop_padding=2
    )
    whole = list(images.training_batches(settings, 12, 0, 0))
    parts = [list(images.training_batches(settings, 12, 0, 0, Share(r, 3))) for r in range(3)]
    assert len(whole) == 2
    for i, (batch, labels) in enumerate(whole):
        assert torch.equal(torch.cat([part[i][0] for part in parts]), batch)
        assert torch.equal(torch.cat([part[i][1] for part in parts]), labels)


def test_uneven_share_is_refused():
    with pytest.raises(ValueError, match=r"the batch is 10 images; .* multiple of 4"):
        Share(0, 4).rows(10)


def test_more_processes_than_gpus_are_refused(monkeypatch):
    for name, value in {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4", "LOCAL_RANK": "3"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match="4 processes, but 2 visible GPUs"), process_group():
        pass
    assert distributed.share() == SINGLE_PROCESS


def test_float32_on_a_gpu_is_float32(monkeypatch):
    """Torch lets cuDNN round convolutions to TF32 by default."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert distributed.default_device() == torch.device("cuda")
    assert not torch.backends.cudnn.allow_tf32

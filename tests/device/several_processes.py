"""What test_distributed.py compares between one process and several.

Run by ``torchrun`` as a script, with the file of results to write as its argument.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from rst_core.attacks.gradient import input_gradient
from rst_core.data.images import Images, Splits
from rst_core.data.sources import load_splits
from rst_core.device.distributed import (
    GlobalBatchNorm2d,
    all_reduce_sum,
    process_group,
    share,
    synchronise_batch_norms,
)
from rst_core.job.checkpoint import Checkpoint
from rst_core.job.preemption import Preempted, Preemption
from rst_core.measures.evaluation import attack_and_evaluate, natural_outcomes
from rst_core.models.files import batch_norm_statistics
from rst_core.models.networks import build_classifier, draw_weights
from rst_core.settings import (
    DatasetSettings,
    NetworkSettings,
    TrainingSettings,
    training_attack,
    validation_attack,
)
from rst_core.storage import save_tensors
from rst_core.training.loop import Run, train
from rst_core.training.trainee import MaskTrainee, Trainee, WeightTrainee
from rst_core.vocabulary import Architecture, Init, Pattern, SearchMethod, Selection, Source
from tests.checkpoints import InMemory, Interrupted

CLASSES = 3
_GRAY = (0.5, 0.5, 0.5)
_SETTINGS = TrainingSettings(
    epochs=2, batch_size=16, lr=0.1, decay_epochs=(), warmup_epochs=0, validation_steps=2
)


def folder_settings(folder: Path, **changes: Any) -> DatasetSettings:
    """Settings of a streamed folder that :func:`make_folder` made."""
    values: dict[str, Any] = {
        "source": Source.STREAMED_FOLDER,
        "path": str(folder),
        "classes": CLASSES,
        "image_size": 14,
        "mean": _GRAY,
        "std": _GRAY,
        "crop_padding": 0,
        "validation_images": 9,
    }
    return DatasetSettings(**values | changes)


def make_folder(
    folder: Path, sizes: list[tuple[int, int]], test: str = "test", count: int = 13
) -> None:
    """A folder of PNGs: ``count`` training and 5 test images a class, sizes taking turns."""
    rng = np.random.default_rng(0)
    for split, images in (("train", count), (test, 5)):
        for name in range(CLASSES):
            place = folder / split / f"class{name}"
            place.mkdir(parents=True)
            for i in range(images):
                width, height = sizes[i % len(sizes)]
                pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{i:03}.png")


def _classifier() -> Any:
    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=0.0625)
    model = build_classifier(settings, CLASSES, _GRAY, _GRAY)
    draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, 0)
    # In float64 two orders of summation never flip the sign of an attack's step.
    return model.double()


def _memory() -> Splits:
    rng = torch.Generator().manual_seed(0)

    def draw(count: int) -> Images:
        pixels = torch.randint(0, 256, (count, 3, 8, 8), generator=rng, dtype=torch.uint8)
        return Images(pixels, torch.arange(count) % CLASSES)

    return Splits(draw(40), draw(21), draw(21))


def _train(
    trainee: Trainee,
    splits: Splits,
    dataset: DatasetSettings,
    method: SearchMethod,
    *,
    interrupted_at: int | None = None,
) -> dict[str, Any]:
    for variable in trainee.variables.values():
        variable.data = variable.data.double()
    run = Run(
        identity="test",
        attack=training_attack(method, 8),
        settings=_SETTINGS,
        dataset=dataset,
        selections=(Selection.BEST_VAL, Selection.LAST),
        seed=0,
    )
    checkpoints = InMemory()
    if interrupted_at is not None:
        interrupted = InMemory(interrupted_at)
        with suppress(Interrupted):
            train(trainee, splits, run, interrupted)
        for variable in trainee.variables.values():
            variable.data.zero_()
        checkpoints = InMemory(saved=interrupted.saved)
    kept = train(trainee, splits, run, checkpoints)
    assert checkpoints.saved is not None
    lines = checkpoints.saved["state"]["metrics"]
    return {
        "variables": {n: v.detach().clone() for n, v in trainee.variables.items()},
        "statistics": batch_norm_statistics(trainee.model),
        "best": kept[Selection.BEST_VAL]["batch_norm"],
        "metrics": [{k: v for k, v in line.items() if k != "seconds"} for line in lines],
    }


def _search(**options: Any) -> dict[str, Any]:
    trainee = MaskTrainee(_classifier(), 0.3, Pattern.ELEMENT, 0)
    dataset = folder_settings(Path("nowhere"), source=Source.FOLDER, crop_padding=1)
    result = _train(trainee, _memory(), dataset, SearchMethod.PGD7, **options)
    return result | {"masks": trainee.masks()}


def _left() -> int:
    """How many processes leave where only the last one is told to."""
    preemption, mine = Preemption(), share()
    preemption.terminated = mine.rank == mine.processes - 1
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint("test", Path(folder) / "state.pt", "key", preemption)
        try:
            checkpoint.maybe_save("after step 1", lambda: {})
            left = 0
        except Preempted:
            left = 1
    return int(all_reduce_sum(torch.tensor(left)))


def _streamed() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        make_folder(Path(folder), [(20, 18), (16, 30)])
        dataset = folder_settings(Path(folder))
        # Different numbers of workers in the two runs that are compared, and that is all.
        splits = load_splits(dataset, workers=share().processes - 1)
        return _train(WeightTrainee(_classifier()), splits, dataset, SearchMethod.FGSM_RS)


def _outcomes() -> dict[str, Tensor]:
    model, test = _classifier().eval(), _memory().test
    spec = validation_attack(8, 2)
    robust = attack_and_evaluate(model, {"self": model}, test, spec, batch_size=5).outcomes
    return {"natural": natural_outcomes(model, test, batch_size=5), "robust": robust["self"]}


def _input_gradient() -> Tensor:
    """Gradient of the summed losses towards all images of a batch, in training mode."""
    model = _classifier().train().requires_grad_(False)
    synchronise_batch_norms(model)
    images, labels = next(
        _memory().train.training_batches(folder_settings(Path("nowhere")), 8, 0, 0, share())
    )
    gradients = torch.zeros(8, 3, 8, 8, dtype=torch.float64)
    gradients[share().rows(8)] = input_gradient(model, images.double(), labels)[2]
    return all_reduce_sum(gradients)


def _norm(dtype: torch.dtype, momentum: float | None) -> dict[str, Tensor]:
    """One batch norm on two batches far from zero mean: output, gradient, statistics."""
    model = nn.Sequential(nn.BatchNorm2d(3, momentum=momentum, affine=False))
    synchronise_batch_norms(model)
    rng = torch.Generator().manual_seed(0)
    rows = share().rows(6)
    out = torch.zeros(2, 2, 6, 3, 4, 4)
    for i in range(2):
        x = 40 + torch.randn(6, 3, 4, 4, generator=rng) * torch.tensor([1, 2, 4]).view(3, 1, 1)
        weight = torch.randn(6, 3, 4, 4, generator=rng)
        mine = x.to(dtype)[rows].requires_grad_(True)
        y = model(mine)
        (gradient,) = torch.autograd.grad((y.float() * weight[rows]).sum(), mine)
        out[i, 0, rows], out[i, 1, rows] = y.detach().float(), gradient.float()
    return {"out": all_reduce_sum(out), **{n: b.clone() for n, b in model.named_buffers(prefix="")}}


def united_norms() -> tuple[int, int]:
    """Batch norms of torchvision's ResNet-18: united ones, and all."""
    settings = NetworkSettings(architecture=Architecture.RESNET18)
    model = build_classifier(settings, CLASSES, _GRAY, _GRAY)
    synchronise_batch_norms(model)
    norms = [type(m) for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    return norms.count(GlobalBatchNorm2d), len(norms)


def measure() -> dict[str, Any]:
    """Everything that must not depend on the number of processes, but ``united_norms``."""
    return {
        "search": _search(),
        "streamed": _streamed(),
        "outcomes": _outcomes(),
        "input_gradient": _input_gradient(),
        "norm": _norm(torch.float32, 0.1),
        "cumulative_norm": _norm(torch.float32, None),
        "bfloat16_norm": _norm(torch.bfloat16, 0.1),
    }


def main(path: str) -> None:
    if path == "fail":
        with process_group():
            if share().rank == 1:
                raise ValueError("one process fails")
            all_reduce_sum(torch.zeros(1))
        return
    with process_group():
        results = measure()
        results["interrupted_search"] = _search(interrupted_at=3)
        results["interrupted_in_an_epoch_search"] = _search(interrupted_at=1)
        results["left"] = _left()
        results["united_norms"] = united_norms()
        if share().writes:
            save_tensors(Path(path), results, "Measured")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1])

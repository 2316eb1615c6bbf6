"""Whether bfloat16 finds as good tickets as float32: searches of both from the same seeds.

Real images (a part of CIFAR-10, bit-exact), a narrow network, a few epochs: enough to see a
difference that matters, not the paper's accuracies. Each search is a process of one thread,
as many at a time as there are cores.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from rst_core.data import LabelledImages, Splits, load_splits
from rst_core.evaluation import attack_and_judge, natural_outcomes
from rst_core.networks import build_classifier, draw_weights
from rst_core.progress import say
from rst_core.settings import (
    AttackSpec,
    DatasetSettings,
    NetworkSettings,
    TrainingSettings,
    training_attack,
)
from rst_core.tickets import set_batch_norm_statistics, set_weights
from rst_core.trainee import MaskTrainee
from rst_core.training import Run, train
from rst_core.vocabulary import (
    Architecture,
    AttackMethod,
    Init,
    Norm,
    Pattern,
    Precision,
    SearchMethod,
    Selection,
    Source,
)

ROOT = Path(__file__).resolve().parents[1]
ARCHIVE = ROOT.parent / "shared" / "data" / "cifar10_lossless_6k.tar.xz"
SEEDS, WIDTH, EPOCHS, IMAGES, EPS = (0, 1, 2), 0.125, 12, 2000, 8.0


@dataclass(frozen=True)
class Outcome:
    """Where a search ended, in percent of the test images, both measured in float32."""

    precision: Precision
    seed: int
    natural: float
    robust: float


def search(splits: Splits, dataset: DatasetSettings, precision: Precision, seed: int, *,
           width: float = WIDTH, epochs: int = EPOCHS, folder: Path) -> Outcome:  # fmt: skip
    """Search a ticket at keep ratio 0.2 with PGD-7 and attack its last epoch by PGD-20."""
    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=width)
    model = build_classifier(settings, dataset.classes, dataset.mean, dataset.std)
    draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, seed)
    trainee = MaskTrainee(model, 0.2, Pattern.ELEMENT, seed)
    training = TrainingSettings(
        epochs=epochs, batch_size=32, lr=0.1, decay_epochs=(epochs // 2,) if epochs > 1 else (),
        validation_steps=1,
        precision=precision,
    )  # fmt: skip
    run = Run(
        identity=f"{precision}-seed{seed}",
        attack=training_attack(SearchMethod.PGD7, EPS),
        settings=training,
        dataset=dataset,
        selections=(Selection.LAST,),
        seed=seed,
        checkpoint=folder / f"{precision}-{seed}.pt",
        metrics=folder / f"{precision}-{seed}.jsonl",
    )
    contents = train(trainee, splits, run)[Selection.LAST]
    weights = {name: weight.detach() for name, weight in trainee.weights().items()}
    set_weights(model, weights)
    set_batch_norm_statistics(model, contents["batch_norm"])
    model.eval()
    pgd20 = AttackSpec(
        name="pgd20", method=AttackMethod.PGD, norm=Norm.LINF, eps=EPS, steps=20, step_size=2,
        random_start=True, seed=0,
    )  # fmt: skip
    robust = attack_and_judge(model, {"self": model}, splits.test, pgd20).outcomes["self"]
    natural = natural_outcomes(model, splits.test)
    return Outcome(precision, seed, _percent(natural), _percent(robust))


def _percent(outcomes: torch.Tensor) -> float:
    return 100 * float(outcomes.float().mean())


def dataset_in(folder: Path) -> DatasetSettings:
    """The images in a folder of train/<class> and test/<class>."""
    return DatasetSettings(
        source=Source.FOLDER, variant="", path=str(folder), classes=10, image_size=32,
        mean=(0.4914, 0.4822, 0.4465), std=(0.2471, 0.2435, 0.2616), crop_padding=4, flip=True,
        validation_images=200,
    )  # fmt: skip


def few(splits: Splits, images: int) -> Splits:
    """Fewer training images; all classes stay, in turn."""

    def evenly(of: LabelledImages, count: int) -> LabelledImages:
        return of.select(torch.linspace(0, len(of) - 1, min(count, len(of))).long())

    return Splits(evenly(splits.train, images), splits.validation, splits.test)


def table(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Markdown: mean and standard deviation over seeds, and the difference in standard errors.

    The difference is taken seed by seed: what a seed's weights and batches are worth, which is
    most of the spread, is in both of its searches.
    """
    by = {
        p: sorted((o for o in outcomes if o.precision is p), key=lambda o: o.seed)
        for p in (Precision.FLOAT32, Precision.BFLOAT16)
    }
    lines = [
        "| search in | natural, % | PGD-20, % | each seed: natural / PGD-20 |",
        "|---" * 4 + "|",
    ]
    for precision, found in by.items():
        each = ", ".join(f"{o.natural:.1f} / {o.robust:.1f}" for o in found)
        natural, robust = ([o.natural for o in found], [o.robust for o in found])
        lines.append(f"| {precision} | {_spread(natural)} | {_spread(robust)} | {each} |")
    ours, others = by.values()
    cells = [
        _difference([getattr(o, name) for o in others], [getattr(o, name) for o in ours])
        for name in ("natural", "robust")
    ]
    lines.append(f"| difference | {cells[0]} | {cells[1]} | |")
    return "\n".join(
        [
            *lines,
            "",
            f"Mean ± standard deviation over {len(ours)} seeds; mean and standard error of the "
            "difference seed by seed, and how many of those it is. PreActResNet-18 of width "
            f"{WIDTH:g}, keep ratio 0.2, PGD-7, {EPOCHS} epochs on {IMAGES} training images of "
            "CIFAR-10, all 1,017 test images that are here; "
            f"{seconds / 60:.0f} CPU minutes for all.",
        ]
    )


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


def _difference(ours: Sequence[float], others: Sequence[float]) -> str:
    each = [one - other for one, other in zip(ours, others, strict=True)]
    difference, error = statistics.mean(each), statistics.stdev(each) / len(each) ** 0.5
    ratio = abs(difference) / error if error else float("inf") if difference else 0.0
    return f"{difference:+.1f} ± {error:.1f} ({ratio:.1f})"


def precision() -> str:
    """The table of all searches; a sentence where there are no real images. Seeds are rounds."""
    if not ARCHIVE.is_file():
        return "Not measured: there were no real images beside the checkout (../shared/data)."
    before = os.times()
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder, filter="data")
        jobs = [(p, seed) for seed in SEEDS for p in (Precision.FLOAT32, Precision.BFLOAT16)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            outcomes = list(pool.map(lambda job: _in_a_process(Path(folder), *job), jobs))
    after = os.times()
    spent = (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )
    return table(outcomes, spent)


def _in_a_process(folder: Path, precision: Precision, seed: int) -> Outcome:
    command = [sys.executable, "-m", "benchmarks.precision", str(folder), precision, str(seed)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    say(f"{precision}, seed {seed}: natural {found['natural']:.1f}, PGD-20 {found['robust']:.1f}")
    return Outcome(precision, seed, found["natural"], found["robust"])


def main() -> None:
    """One search: folder of the images, precision, seed."""
    folder, name, seed = Path(sys.argv[1]), Precision(sys.argv[2]), int(sys.argv[3])
    dataset = dataset_in(folder)
    found = search(few(load_splits(dataset), IMAGES), dataset, name, seed, folder=folder)
    print(json.dumps({"natural": found.natural, "robust": found.robust}))


if __name__ == "__main__":
    main()

"""What a program of one's own needs: load models and images, attack and measure.

``import rst_core`` offers these names without importing torch; it comes with the first one used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from rst_core.attacks import run_attack
from rst_core.attacks.gradient import LogitFunction
from rst_core.data.manifest import read_manifest
from rst_core.data.source_files import split_folders
from rst_core.data.sources import load_splits, read_folder
from rst_core.device.seeding import generator
from rst_core.identity import CandidateSet, TrainingCell, Untrained, parse_model, split_cell_path
from rst_core.measures.evaluation import correct
from rst_core.models.files import base_below, load_model, load_trained, model_path
from rst_core.models.r2s import RandomSwitch, adversary_view, load_random_switch
from rst_core.settings import AttackSpec, DatasetSettings, linf_pgd
from rst_core.vocabulary import AttackMethod, Norm, Selection, Source

#: Images and labels to adversarial images, as most libraries' attacks are called.
AttackFunction = Callable[[Tensor, Tensor], Tensor]
#: Float images N x 3 x H x W in [0, 1], and N class indices.
LabelledBatch = tuple[Tensor, Tensor]

_RESULTS = Path("results")
_EXAMPLES = Path(__file__).resolve().parents[1] / "examples" / "tickets"


def load(
    name: str | Path, *, run: str = "", selection: Selection | str = Selection.BEST_VAL
) -> nn.Module:
    """Load a model by its file, or by its name, as a plain module on [0, 1] images.

    Args:
        name: a model file; or the path of a model below the run's ``cells``, such as
            ``cifar10/resnet18/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8``,
            or one of :func:`example_names`. A candidate set (``…/r2s_rst-keep0.2+0.5-…``) is
            loaded as a :class:`RandomSwitch`.
        run: of a model that is named, the ``run`` of its config, such as ``demo``; the paper's own
            matrix has none.
        selection: of a model that is named, which epoch.

    Returns:
        The model in evaluation mode, on the CPU; no parameter requires a gradient.

    Raises:
        FileNotFoundError: if there is no such file, or no such model.
        ValueError: if the name names no model, or the file is damaged.
    """
    if Path(name).suffix == ".pt":
        return _load_file(Path(name))
    model, chosen = parse_model(str(name)), Selection(selection)
    if isinstance(model, Untrained):
        raise ValueError(
            f"{name} is drawn, not stored: rst_core.models.networks.draw_weights draws it"
        )
    members = model.tickets if isinstance(model, CandidateSet) else (model,)
    cells = _RESULTS / run / "cells"
    for root in (cells, _EXAMPLES):
        files = [model_path(root, member, chosen) for member in members]
        if all(file.is_file() for file in files):
            if not isinstance(model, CandidateSet):
                return load_trained(root, model, chosen)
            return load_random_switch(files, base_below(files[0], root))
    file = model_path(cells, members[0], chosen)
    raise FileNotFoundError(
        f"{name} ({chosen}) is not there; make {file}, or load an example: "
        f"{', '.join(example_names())}"
    )


def _load_file(path: Path) -> nn.Module:
    try:
        root, cell = split_cell_path(path.as_posix())
    except ValueError:
        return load_model(path)
    assert isinstance(cell, TrainingCell)
    return load_trained(Path(root), cell.model, cell.selection)


def example_names() -> list[str]:
    """Names of the models that come with the repository, for :func:`load`."""
    found = _EXAMPLES.glob("*/*/*/*/best_val/*.pt")
    return sorted(path.parents[1].relative_to(_EXAMPLES).as_posix() for path in found)


def load_test_images(
    source: str | Path | DatasetSettings, count: int | None = None, *, run: str = ""
) -> LabelledBatch:
    """Load test images and their labels.

    Args:
        source: the name of a dataset of this folder's config once the run's ``data/NAME.json`` is
            made; ``digits``, the handwritten digits of the examples; a manifest; a folder with
            ``test/<class>/…``, ``val/<class>/…`` or ``<class>/…`` of images of one size; or
            settings.
        count: at most so many, from the beginning.
        run: of a dataset that is named, the ``run`` of its config, as in :func:`load`.

    Returns:
        Float images in [0, 1], N x 3 x H x W, and N class indices.

    Raises:
        FileNotFoundError: if there is no such dataset, or a folder holds training images only.
        ValueError: if its images do not agree with its settings.
    """
    if not isinstance(source, DatasetSettings) and (folder := Path(source)).is_dir():
        test_folder, classes = _test_folder(folder)
        found = read_folder(test_folder, classes)
        return found.pixels[:count].float().div(255), found.labels[:count]
    test = load_splits(_settings(source, run)).test.first(count)
    _, images, labels = next(test.evaluation_batches(len(test)))
    return images.contiguous(), labels


def _test_folder(folder: Path) -> tuple[Path, list[str]]:
    """Where the test images below a folder are, and its classes, also those of training images."""
    train, test = split_folders(folder)
    if train.is_dir() and not test.is_dir():
        raise FileNotFoundError(
            f"{folder} holds train/, and neither test/ nor val/; name train/ itself for its images"
        )
    halves = [half for half in (test, train) if half.is_dir()] or [folder]
    classes = {path.name for half in halves for path in half.iterdir() if path.is_dir()}
    return halves[0], sorted(classes)


def _settings(source: str | Path | DatasetSettings, run: str) -> DatasetSettings:
    if isinstance(source, DatasetSettings):
        return source
    named = _RESULTS / run / "data" / f"{source}.json"
    manifest = Path(source) if Path(source).suffix == ".json" else named
    if str(source) == "digits" and not manifest.is_file():
        ones = (1.0, 1.0, 1.0)  # normalisation is the model's
        return DatasetSettings(
            source=Source.DIGITS, variant="plain", classes=10, image_size=8, mean=ones, std=ones
        )
    return read_manifest(manifest).settings


@dataclass(frozen=True)
class Accuracy:
    """Accuracies in percent, and what they are of.

    Attributes:
        natural: on the images as they are.
        robust: on the adversarial images; None without an attack.
        outcomes: N shares of right answers, on the adversarial images if there are any: 0 or 1;
            for a :class:`RandomSwitch` the share of its tickets, so that their mean is its exact
            expected accuracy.
    """

    natural: float
    robust: float | None
    outcomes: Tensor = field(repr=False)


def evaluate(
    model: nn.Module,
    images: LabelledBatch,
    attack: AttackSpec | AttackFunction | str | None = None,
    *,
    batch_size: int = 500,
) -> Accuracy:
    """Attack any model that maps [0, 1] images to logits, and measure its accuracy.

    Args:
        model: one's own, a published checkpoint, or one of :func:`load`; it is put into evaluation
            mode. Normalisation belongs inside. The accuracy of a :class:`RandomSwitch` is exact.
            Settings of a method for candidate sets (``eot``, ``ensemble``, …) attack all its
            tickets, other settings and functions the ticket that it draws.
        images: what :func:`load_test_images` returns.
        attack: settings; ``pgd20-eps8`` (steps, then eps in 1/255; its step is 2/255 and its start
            random) or ``auto_attack-eps8``, which attack the expectation of a
            :class:`RandomSwitch`; a function of images and labels, such as an attack of a library;
            or none.
        batch_size: images at a time; 500 draws the random starts of the workflow's cells of seed 0.

    Raises:
        ValueError: for images that are not float, N x 3 x H x W, in [0, 1]; for labels that are
            not theirs; for an attack whose images are not.
    """
    pixels, labels = images
    check_images(pixels)
    if labels.shape != (len(pixels),) or labels.is_floating_point():
        raise ValueError(
            f"labels are {labels.dtype} of shape {tuple(labels.shape)}; "
            f"allowed are {len(pixels)} class indices, one an image"
        )
    if not len(pixels):
        raise ValueError("there are no images; allowed is at least one")
    model.eval()
    members: list[nn.Module] = list(model.tickets) if isinstance(model, RandomSwitch) else [model]
    natural = _share_right(members, images, batch_size, lambda start, clean, labels: clean)
    if attack is None:
        return Accuracy(_percent(natural), None, natural)
    outcomes = _share_right(members, images, batch_size, _batch_attack(attack, model, members))
    return Accuracy(_percent(natural), _percent(outcomes), outcomes)


def _percent(shares: Tensor) -> float:
    return 100 * float(shares.double().mean())


def check_images(images: Tensor) -> None:
    """Raise ``ValueError`` unless these are float images, N x 3 x H x W, in [0, 1]."""
    allowed = "allowed are float images, N x 3 x H x W, in [0, 1]"
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}; {allowed}: divide bytes by 255")
    if images.dim() != 4 or images.shape[1] != 3:
        raise ValueError(
            f"images have the shape {tuple(images.shape)}; {allowed}; "
            "expand(-1, 3, -1, -1) gives grey ones three channels"
        )
    if len(images) and not (float(images.min()) >= 0 and float(images.max()) <= 1):
        low, high = float(images.min()), float(images.max())
        raise ValueError(f"images lie in [{low:g}, {high:g}]; {allowed}: normalise in the model")


def _named(attack: str, *, switches: bool) -> AttackSpec:
    """The settings of an attack's name; against a switch their form for expectations.

    PGD that stops at an image's first success would stop at the first draw that errs.
    """
    match = re.fullmatch(r"(?:pgd(\d+)|(auto_attack))-eps(\d+(?:\.\d+)?)", attack)
    if match is None:
        raise ValueError(
            f"{attack!r} names no attack; allowed is pgdSTEPS-epsEPS, such as 'pgd20-eps8', "
            "'auto_attack-eps8', settings (rst_core.settings.AttackSpec) or a function"
        )
    eps = float(match[3])
    if match[1]:
        spec = linf_pgd(f"pgd{match[1]}", eps, int(match[1]), 2.0)
        eot = replace(spec, method=AttackMethod.EOT, stop_at_success=False)
        return eot if switches else spec
    method = AttackMethod.AUTO_ATTACK_EXPECTED if switches else AttackMethod.AUTO_ATTACK
    return AttackSpec(name=match[2], method=method, norm=Norm.LINF, eps=eps)


#: The same, told the index of the batch's first image, by which random starts are drawn.
_BatchAttack = Callable[[int, Tensor, Tensor], Tensor]


def _batch_attack(
    attack: AttackSpec | AttackFunction | str, model: nn.Module, members: list[nn.Module]
) -> _BatchAttack:
    """An attack by settings as a cell of the workflow has it, or by a function."""
    switches = isinstance(model, RandomSwitch)
    spec = _named(attack, switches=switches) if isinstance(attack, str) else attack
    if not isinstance(spec, AttackSpec):
        return lambda start, images, labels: spec(images, labels)
    source: LogitFunction = adversary_view(members, spec.method) if spec.method.on_sets else model

    def attacked(start: int, images: Tensor, labels: Tensor) -> Tensor:
        rng = generator("attack", spec.name, spec.seed, start)
        return run_attack(source, images, labels, spec, rng)

    return attacked


def _share_right(
    members: list[nn.Module], images: LabelledBatch, batch_size: int, attack: _BatchAttack
) -> Tensor:
    """Share of members that are right on each attacked image, N on the CPU."""
    shares = []
    for start in range(0, len(images[1]), batch_size):
        clean, labels = (part[start : start + batch_size] for part in images)
        attacked = attack(start, clean, labels).detach()
        check_images(attacked)
        right = torch.stack([correct(member, attacked, labels) for member in members])
        shares.append(right.float().mean(0).cpu())
    return torch.cat(shares)

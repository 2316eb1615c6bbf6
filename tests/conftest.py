"""Tiny models and images that every test can afford."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import settings

from rst_core.data.images import Images, Splits
from rst_core.data.manifest import Manifest
from rst_core.data.sources import load_splits
from rst_core.identity import Adversary, Network, Ticket, Trained
from rst_core.job.cells import make, manifest_of
from rst_core.job.cli import main
from rst_core.job.recipe import AttackRecipe
from rst_core.models.files import Head, model_path, save_model
from rst_core.models.masks import top_k_mask
from rst_core.models.networks import Classifier, build_classifier, draw_weights, prunable_weights
from rst_core.settings import DatasetSettings, NetworkSettings, TrainingSettings
from rst_core.training.trainee import MaskTrainee, Trainee
from rst_core.vocabulary import Architecture, Init, Origin, Pattern, SearchMethod, Selection, Source
from tests.job.flags import to_flags

torch.set_num_threads(1)

# An example that takes long on a busy machine is no failure. The examples are the same in every
# run: what fails in CI is the change's doing. `--hypothesis-profile=default` draws others.
settings.register_profile("rst", deadline=None, derandomize=True)
settings.load_profile("rst")

# Under nohup, or in the background of a script, these are ignored, and what tests start would
# inherit that: some wait for what such a signal ends.
for _signum, _handler in (
    (signal.SIGINT, signal.default_int_handler),
    (signal.SIGHUP, signal.SIG_DFL),
):
    if signal.getsignal(_signum) is signal.SIG_IGN:
        signal.signal(_signum, _handler)

ROOT = Path(__file__).resolve().parents[1]
#: Real CIFAR images beside the checkout; tests that want them skip without.
SHARED_DATA = ROOT.parent / "shared" / "data"

DIGITS = DatasetSettings(
    source=Source.DIGITS,
    variant="plain",
    classes=10,
    image_size=8,
    mean=(0.3, 0.3, 0.3),
    std=(0.37, 0.37, 0.37),
    crop_padding=1,
    flip=False,
    validation_images=200,
)
NARROW = NetworkSettings(architecture=Architecture.PREACT_RESNET18, width=1 / 16)
BRIEF = TrainingSettings(epochs=3, batch_size=32, lr=0.1, decay_epochs=(2,), validation_steps=2)
NETWORK = Network("digits", "narrow", Init.SIGNED_KAIMING_CONSTANT, 0)
PGD7 = Adversary(SearchMethod.PGD7, 8.0)


def rst(keep_ratio: float = 0.2, pattern: Pattern = Pattern.ELEMENT) -> Ticket:
    return Ticket(NETWORK, Origin.RST, keep_ratio, pattern, PGD7)


def narrow_classifier(init: Init = Init.SIGNED_KAIMING_CONSTANT, seed: int = 0) -> Classifier:
    model = build_classifier(NARROW, DIGITS.classes, DIGITS.mean, DIGITS.std)
    draw_weights(model, init, seed)
    return model


@pytest.fixture(scope="session")
def digits() -> Splits:
    return load_splits(DIGITS)


@pytest.fixture(scope="session")
def few_digits(digits: Splits) -> Splits:
    """96 training, 40 validation and 60 test images."""

    def first(images: Images, count: int) -> Images:
        return Images(images.pixels[:count], images.labels[:count])

    return Splits(first(digits.train, 96), first(digits.validation, 40), first(digits.test, 60))


@pytest.fixture(scope="session")
def tickets() -> list[Classifier]:
    """Three over one network, never searched, as plain models."""
    models = []
    for keep_ratio in (0.3, 0.6, 0.9):
        trainee = MaskTrainee(narrow_classifier(), keep_ratio, Pattern.ELEMENT, 0)
        model = narrow_classifier()
        with torch.no_grad():
            for name, weight in prunable_weights(model).items():
                weight.mul_(top_k_mask(trainee.variables[name], keep_ratio))
        models.append(model.requires_grad_(False).eval())
    return models


def unsearched(ticket: Ticket, seed: int | None = None) -> MaskTrainee:
    """A ticket as its search begins; ``seed`` is of its scores, if not of its network."""
    own = ticket.network.seed
    model = narrow_classifier(ticket.network.init, own)
    return MaskTrainee(model, ticket.keep_ratio, ticket.pattern, own if seed is None else seed)


def save_trainee(root: Path, identity: Trained, trainee: Trainee, **options: Any) -> Path:
    """The file of a narrow network as it is at present, in the folder of all cells."""
    path = model_path(root, identity, Selection.BEST_VAL)
    save_model(path, identity, NARROW, Head.of(DIGITS), trainee.contents(), {}, **options)
    return path


@cache
def manifest() -> Manifest:
    """The manifest of :data:`DIGITS`."""
    return manifest_of("digits", DIGITS, load_splits(DIGITS), "")


def attack_cell(root: Path, cell, spec, batch_size: int, targets=()) -> None:
    """Make an evaluation or a transfer row on the digits."""
    make(AttackRecipe(root, manifest(), cell, spec, batch_size, targets))


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty but for ``data.json``: most digits are validation images."""
    monkeypatch.chdir(tmp_path)
    few = dataclasses.replace(DIGITS, validation_images=900)
    assert main(["data", "data.json", "--name", "digits", *to_flags(few)]) == 0
    return tmp_path


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes fake commands, the only ones on the PATH but for a shell's."""

    def make(**bodies: str) -> Path:
        for name, body in bodies.items():
            file = tmp_path / name
            file.write_text(f"#!/bin/sh\n{body}\n")
            file.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    return make


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what passed tests of the claims have measured: mutation scores, power, coverage."""
    passed = terminalreporter.stats.get("passed", [])
    if found := [r.capstdout for r in passed if "/claims/" in r.nodeid and r.capstdout]:
        terminalreporter.section("measured by tests of the claims")
        terminalreporter.write("".join(found))

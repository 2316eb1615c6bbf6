"""CONTRIBUTING's recipes, applied to a copy of the project: what they name is enough."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from tests.e2e.conftest import TINY, Project, tiny

pytestmark = pytest.mark.e2e

_ATTACK = '''"""Moves every pixel by eps in a random direction."""

import torch


def signs(model, images, labels, spec, rng):
    noise = torch.rand(images.shape, generator=rng).to(images.device) - 0.5
    return (images + spec.eps / 255 * noise.sign()).clamp(0, 1)
'''


def insert(file: Path, after: str, text: str) -> None:
    """Write a line behind the first that ends with ``after``."""
    before, found, behind = file.read_text().partition(f"{after}\n")
    assert found, f"{file.name} has no line {after!r}: CONTRIBUTING is out of date"
    file.write_text(f"{before}{found}{text}\n{behind}")


def add_attack(core: Path) -> None:
    insert(core / "vocabulary.py", 'PGD = "pgd"', '    SIGNS = "signs"')
    insert(
        core / "settings.py",
        "AttackMethod.PGD: _GRADIENT_STEPS,",
        "    AttackMethod.SIGNS: frozenset(),",
    )
    (core / "attacks/signs.py").write_text(_ATTACK)
    registry = core / "attacks/__init__.py"
    insert(registry, "AttackMethod.PGD: pgd,", "    AttackMethod.SIGNS: signs,")
    insert(registry, "from torch import Tensor", "from rst_core.attacks.signs import signs")


def add_init(core: Path) -> None:
    insert(
        core / "vocabulary.py", 'XAVIER_NORMAL = "xavier_normal"', '    ORTHOGONAL = "orthogonal"'
    )
    insert(
        core / "models/networks.py",
        "nn.init.xavier_normal_(weight, generator=rng)",
        "            case Init.ORTHOGONAL:\n"
        "                nn.init.orthogonal_(weight, generator=rng)",
    )


def add_figure(artifacts: Path) -> None:
    panel = 'Panel("", "svhn", _series("new", "rst"))'
    insert(
        artifacts / "figures/entries.py",
        "_BEYOND = (",
        f'    _figure("fig99", "Figure 99: new", "RSTs elsewhere.", "curves", {panel}),',
    )


def test_an_attack_an_init_a_dataset_and_a_figure_are_added_as_contributing_says(project: Project):
    add_attack(project.folder / "rst_core")
    add_init(project.folder / "rst_core")
    add_figure(project.folder / "workflow/artifacts")
    street = copy.deepcopy(TINY["datasets"]["digits"]) | {"label": "Street", "stand_in_for": "SVHN"}
    street["images"] |= {"variant": "street"}
    new = {"models": ["rst"], "datasets": ["svhn"], "keep_ratios": [0.5]}
    project.config(
        tiny(
            datasets={"street": street},
            roles={"datasets": {"svhn": "street"}},
            training={"tiny": {"epochs": 1, "decay_epochs": []}},
            attacks={"signs": {"label": "signs", "method": "signs", "norm": "linf"}},
            experiments={
                "new": new | {"evaluate": [{"attack": "pgd20"}]},
                "mine": new | {"inits": ["orthogonal"], "evaluate": [{"attack": "signs"}]},
            },
        )
    )
    assert project.planned("results/figures/fig99.png")["figure"] == 1
    found = project.run("cells_mine")
    assert found.returncode == 0, found.stdout + found.stderr
    (file,) = project.files("results/cells/street/tiny/orthogonal-seed0/**/signs-eps8.json")
    axes = json.loads((project.folder / file).read_text())["axes"]
    assert (axes["dataset"], axes["init"], axes["attack"]) == ("street", "orthogonal", "signs")

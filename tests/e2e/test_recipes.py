"""CONTRIBUTING's recipes, applied to a copy of the project: what they name is enough."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from tests.e2e.conftest import TINY, Project, tiny
from tests.recipes import insert

pytestmark = pytest.mark.e2e

_ATTACK = '''"""Moves a share of the pixels by eps in a random direction."""

import torch


def noise(model, images, labels, spec, rng):
    drawn = torch.rand(images.shape, generator=rng).to(images.device)
    moved = (drawn < spec.share) * torch.where(drawn < spec.share / 2, -1, 1)
    return (images + spec.eps / 255 * moved).clamp(0, 1)
'''


def add_attack(core: Path) -> None:
    about = '_About("noise.noise", "share", gradients=0, norms=_LINF)'
    first = 'PGD = "pgd", _About("gradient.pgd", _PGD)'
    insert(core / "vocabulary.py", first, f'    NOISE = "noise", {about}')
    share = 'option("noise: share of pixels that move", None, Range(0, 1))'
    insert(core / "settings.py", "None, IMAGES)", f"    share: float | None = {share}")
    (core / "attacks/noise.py").write_text(_ATTACK)


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
            attacks={"noise": {"label": "Noise", "method": "noise", "norm": "linf", "share": 0.5}},
            experiments={
                "new": new | {"evaluate": [{"attack": "pgd20"}]},
                "mine": new | {"inits": ["orthogonal"], "evaluate": [{"attack": "noise"}]},
                "inits": {"inits": ["orthogonal"], "keep_ratios": [0.5]},
            },
        )
    )
    assert project.planned("results/figures/fig99.png")["figure"] == 1
    found = project.run("cells_mine", "results/figures/fig1.png")
    assert found.returncode == 0, found.stdout + found.stderr
    (file,) = project.files("results/cells/street/tiny/orthogonal-seed0/**/noise-eps8.json")
    cell = json.loads((project.folder / file).read_text())
    axes = cell["axes"]
    assert (axes["dataset"], axes["init"], axes["attack"]) == ("street", "orthogonal", "noise")
    assert cell["settings"]["attack"]["share"] == 0.5
    assert "orthogonal" in (project.folder / "results/figures/fig1.csv").read_text()

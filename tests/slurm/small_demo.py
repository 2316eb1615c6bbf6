"""What makes the demo's matrix small: every kind of cell and every artifact, each in seconds.

    python -m tests.slurm.small_demo > small.yaml
    snakemake all --cores 2 --configfile demo/matrix.yaml small.yaml

It is computed from the demo's own file, so that what is added there is tested here. A cell has
less work, an axis of an experiment at most two values, and one network plays two; no experiment,
attack, kind of model or artifact is left out (``tests/project/test_small_demo.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import ROOT

DEMO = ROOT / "demo" / "matrix.yaml"
#: Keep ratios that stay where an experiment has several; a candidate set needs two.
_PAIR = (0.2, 0.5)
#: Axes that are cut after two values. Kinds of models and attacks are none of them.
_AXES = ("inits", "patterns", "methods", "feature_distance")
#: Of the digits, 1,437 in all, those that are left to train on make two batches.
_HELD_OUT, _BATCH = 1300, 64


def small_demo() -> dict[str, Any]:
    """The config over ``demo/matrix.yaml``."""
    demo = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    paper = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    attacks = paper["attacks"] | demo["attacks"]
    settings = {"epochs": 1, "decay_epochs": [], "batch_size": _BATCH, "validation_steps": 1}
    images = {"image_size": 8, "validation_images": _HELD_OUT}
    return {
        "roles": {"networks": {"wideresnet32": demo["roles"]["networks"]["resnet18"]}},
        "datasets": {name: {"images": images} for name in demo["datasets"]},
        "networks": {
            name: {"build": {"width": 0.0625}}
            for name, network in demo["networks"].items()
            if network["build"]["width"] < 1  # torchvision's have no other width
        },
        "training": dict.fromkeys(demo["training"], settings),
        "attacks": {name: _few(name, paper["attacks"].get(name, {})) for name in attacks},
        "transfer_targets": list(_PAIR),
        "experiments": {
            name: _narrow(paper["experiments"].get(name, {}) | experiment)
            for name, experiment in demo["experiments"].items()
        },
    }


def write_small_demo(path: Path) -> None:
    """Write the config into a file for ``snakemake --configfile demo/matrix.yaml FILE``."""
    path.write_text(yaml.safe_dump(small_demo()), encoding="utf-8")


def _few(name: str, attack: dict[str, Any]) -> dict[str, Any]:
    """Few images and steps; Auto-Attack calls a model ten thousand times for one image."""
    found: dict[str, Any] = {"images": 1 if name.startswith("auto_attack") else 10}
    if attack.get("steps", 0) > 1:
        found["steps"] = 4
    return found


def _narrow(experiment: dict[str, Any]) -> dict[str, Any]:
    found = {axis: experiment[axis][:2] for axis in _AXES if axis in experiment}
    if "evaluate" in experiment:
        found["evaluate"] = [_at_one_size(attack) for attack in experiment["evaluate"]]
    if "keep_ratios" in experiment:
        found["keep_ratios"] = _of_the_pair(experiment["keep_ratios"])
    if "candidate_sets" in experiment:
        sets = [_of_the_pair(one) for one in experiment["candidate_sets"]]
        found["candidate_sets"] = [one for i, one in enumerate(sets) if one not in sets[:i]]
    return found


def _at_one_size(attack: dict[str, Any]) -> dict[str, Any]:
    sizes = attack.get("eps")
    return attack | {"eps": sizes[:1]} if isinstance(sizes, list) else attack


def _of_the_pair(keep_ratios: Sequence[float]) -> list[float]:
    """Those of the pair; all, where there is none of it."""
    return [ratio for ratio in keep_ratios if ratio in _PAIR] or list(keep_ratios)


if __name__ == "__main__":
    yaml.safe_dump(small_demo(), sys.stdout)

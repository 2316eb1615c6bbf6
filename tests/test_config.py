import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from tests.conftest import ROOT
from workflow.config import ConfigError, read_config, schema_text

PAPER = yaml.safe_load((ROOT / "config.yaml").read_text())
DELTAS = sorted(
    [ROOT / "demo" / "matrix.yaml", *ROOT.glob("measurements/*.yaml"), *ROOT.glob("configs/*.yaml")]
)


def extended(delta: Path) -> dict:
    """What Snakemake makes of config.yaml with --configfile ``delta``."""
    raw = copy.deepcopy(PAPER)
    update_config(raw, yaml.safe_load(delta.read_text()))
    return raw


def override(key: str, value: Any) -> dict[str, Any]:
    """The paper's config with another value of one key."""
    raw = copy.deepcopy(PAPER)
    *parents, last = key.split(".")
    place = raw
    for part in parents:
        place = place[part]
    place[last] = value
    return raw


def test_the_schema_is_up_to_date():
    path = ROOT / "workflow" / "schemas" / "config.schema.json"
    assert path.read_text() == schema_text(), "run: python -m workflow.schemas"


def foreign(model: str) -> dict[str, Any]:
    return {"theirs": {"model": model, "file": "theirs.pt", "layout": "released"}}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sedes", [1], "^sedes is an unknown key; allowed is .*seeds"),
        ("training.cifar.epoch", 3, "^training.cifar.epoch is an unknown key; allowed is .*epochs"),
        ("selection", "best", "'best'; allowed is 'best_val', 'last' or 'best_test'"),
        ("selection", "best_test", "allowed is one of keep_selections"),
        ("seeds", [], r"^seeds is \[\]; allowed is at least 1 item$"),
        ("datasets", {"CIFAR-10": PAPER["datasets"]["cifar10"]}, "lower-case words"),
        ("datasets.cifar10.training", "imagenet9", "'imagenet9'; allowed is one of cifar, svhn"),
        (
            "networks.resnet18.build.width",
            -1,
            "is -1; allowed is greater than or equal to 0.01",
        ),
        ("attacks.pgd20.step_size", None, "exactly one of the two"),
        ("attacks.auto_attack.step_size", 2, "none of the two is allowed for auto_attack"),
        ("attacks.auto_attack.steps", 3, "steps is 3, but auto_attack takes no steps"),
        ("experiments.patterns.score_inits", ["weight_fan"], "the pattern element takes only"),
        (
            "experiments.existence.keep_ratios",
            [0.1, 1.5],
            "is 1.5; allowed is less than or equal to 1",
        ),
        ("experiments.existence.keep_ratios", [0.1, 0.1], "may occur once only"),
        ("experiments.existence.keep_ratios", [], "keep_ratios is empty; rst needs"),
        ("experiments.existence.networks", ["vgg"], "'vgg'; allowed is one of resnet18, resnet18_"),
        (
            "experiments.attacks.evaluate",
            [{"attack": "bandits", "eps": "none"}],
            "attacks.evaluate.eps is None for bandits, whose eps is None; allowed is a size",
        ),
        (
            "experiments.r2s.evaluate",
            [{"attack": "apgd_worst"}],
            "r2s.evaluate.attack is 'apgd_worst', whose method apgd is allowed in adaptive only",
        ),
        (
            "experiments.existence.models",
            ["untrained"],
            r"existence.evaluate is \[\{attack: pgd20\}\], which no model of the experiment uses",
        ),
        (
            "experiments.transfer_dense.eps",
            [8, 12],
            r"transfer_dense.eps is \[8.0, 12.0\]; allowed is \[8.0\] where dense_natural "
            "has a transfer to tickets_and_dense, which are always searched so",
        ),
        ("foreign", foreign("cifar10/resnet18/rst"), "names no model"),
        (
            "foreign",
            foreign("cifar10/resnet18/kaiming_normal-seed0/rtt_natural-keep0.2-element-pgd7-eps8"),
            "allowed is the path of a dense or of an RST",
        ),
        (
            "foreign",
            foreign("cifar10/nobody/kaiming_normal-seed0/dense-natural"),
            r"foreign.theirs.model is 'nobody'; allowed is one of .*resnet18",
        ),
    ],
)
def test_bad_input_names_the_key_the_value_and_what_is_allowed(key, value, message):
    with pytest.raises(ConfigError, match=message):
        read_config(override(key, value))


def test_a_missing_key_is_named():
    raw = {k: v for k, v in PAPER.items() if k != "seeds"}
    with pytest.raises(ConfigError, match=r"^seeds is missing"):
        read_config(raw)

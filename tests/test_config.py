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


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sedes", [1], "^sedes is an unknown key; allowed is .*seeds"),
        ("training.cifar.epoch", 3, "^training.cifar.epoch is an unknown key; allowed is .*epochs"),
        (
            "datasets.cifar10.images.size",
            3,
            "images.size is an unknown key; allowed is .*image_size",
        ),
        (
            "experiments.existence.keep_ratios",
            [0.1, 1.5],
            "keep_ratios is 1.5; allowed is a number above 0, up to 1",
        ),
        (
            "experiments.patterns.score_inits",
            ["released", "weight_fan"],
            "the pattern element takes only",
        ),
        ("experiments.patterns.score_inits", ["own_fan"], "allowed is released or weight_fan"),
        ("experiments.existence.keep_ratios", [0], "is 0; allowed is a number above 0, up to 1"),
        ("experiments.existence.keep_ratios", [0.1, 0.1], "may occur once only"),
        ("experiments.existence.keep_ratios", [], "keep_ratios is empty; rst needs"),
        (
            "experiments.existence.networks",
            ["vgg"],
            "'vgg'; allowed is one of resnet18, resnet18_released, wide",
        ),
        ("experiments.r2s.transfer", [{"attack": "fgsm9", "to": "tickets"}], "'fgsm9'; allowed is"),
        ("roles.networks.resnet18", "vgg", "'vgg'; allowed is one of resnet18"),
        ("networks.resnet18.build.architecture", "vgg", "'vgg'; allowed is preact_resnet18"),
        ("networks.resnet18.build.width", -1, "width is -1; allowed is a number from 0.01 to 16"),
        (
            "training.cifar.epochs",
            0,
            "training.cifar.epochs is 0; allowed is a whole number from 1",
        ),
        ("datasets.cifar10.training", "imagenet9", "'imagenet9'; allowed is one of cifar, svhn"),
        ("attacks.pgd20.step_size", None, "exactly one of the two"),
        ("attacks.auto_attack.step_size", 2, "none of the two is allowed for auto_attack"),
        (
            "attacks.auto_attack.steps",
            3,
            "steps is 3, but auto_attack takes no steps",
        ),
        ("attacks.bandits.tiles", None, "tiles is None; allowed is a number from 1 to 4,096"),
        ("experiments.attacks.evaluate", [{"attack": "cw_l2"}], "for cw_l2; allowed is 'none'"),
        (
            "experiments.attacks.evaluate",
            [{"attack": "bandits", "eps": "none"}],
            "attacks.evaluate.eps is 'none' for bandits; allowed is a list of sizes",
        ),
        (
            "experiments.r2s.evaluate",
            [{"attack": "apgd_worst"}],
            "r2s.evaluate.attack is 'apgd_worst', whose method apgd is allowed in adaptive only",
        ),
        (
            "experiments.r2s_stress.adaptive",
            [{"attack": "pgd20"}],
            "r2s_stress.adaptive.attack is 'pgd20', whose method pgd is allowed in evaluate and",
        ),
        (
            "experiments.r2s_stress_seeds.adaptive_transfer",
            [{"attack": "apgd_logits", "to": "tickets"}],
            "adaptive_transfer.to is 'tickets'; allowed is other_seeds",
        ),
        (
            "experiments.existence.models",
            ["untrained"],
            r"existence.evaluate is \[\{attack: pgd20\}\], which no model of the experiment uses",
        ),
        (
            "experiments.transfer_dense.methods",
            ["fgsm_rs"],
            r"^experiments.transfer_dense.methods is \[fgsm_rs\]; allowed is \[pgd7\] where",
        ),
        (
            "experiments.transfer_dense.eps",
            [8, 12],
            r"transfer_dense.eps is \[8.0, 12.0\]; allowed is \[8.0\] where dense_natural "
            "has a transfer to tickets_and_dense, which are always searched so",
        ),
        ("selection", "best", "'best'; allowed is best_val, last or best_test"),
        ("selection", "best_test", "allowed is one of keep_selections"),
        (
            "seeds",
            [],
            "^seeds is \\[\\]; allowed is a list of at least 1, each a whole number from 0 to",
        ),
        ("datasets", {"CIFAR-10": PAPER["datasets"]["cifar10"]}, "lower-case words"),
    ],
)
def test_bad_input_names_the_key_the_value_and_what_is_allowed(key, value, message):
    with pytest.raises(ConfigError, match=message):
        read_config(override(key, value))


def test_a_missing_key_is_named():
    raw = {k: v for k, v in PAPER.items() if k != "seeds"}
    with pytest.raises(ConfigError, match=r"^seeds is missing"):
        read_config(raw)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("cifar10/resnet18/rst", "names no model"),
        (
            "cifar10/resnet18/signed_kaiming_constant-seed0/rtt_natural-keep0.2-element-pgd7-eps8",
            "allowed is the path of a dense or of an RST",
        ),
        (
            "cifar10/nobody/signed_kaiming_constant-seed0/dense-natural",
            r"foreign.theirs.model is 'nobody'; allowed is one of .*resnet18",
        ),
    ],
)
def test_a_foreign_checkpoint_is_called_like_a_model_of_ours(model, message):
    entry = {"model": model, "file": "theirs.pt", "layout": "released"}
    with pytest.raises(ConfigError, match=message):
        read_config(PAPER | {"foreign": {"theirs": entry}})

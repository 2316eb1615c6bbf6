"""Checkpoints that were made elsewhere, in the config."""

import pytest

from tests.test_config import PAPER
from workflow.config import ConfigError, read_config


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

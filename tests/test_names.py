"""Cells in a few words."""

import pytest

from rst_core.identity import parse_cell
from workflow.names import short_name

INIT = "cifar10/resnet18/signed_kaiming_constant-seed0"
RST = f"{INIT}/rst-keep0.2-element-pgd7-eps8/best_val"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{RST}/ticket.pt", "rst 0.2 cifar10 resnet18 s0"),
        (f"{RST}/pgd20-eps8.json", "pgd20 eps8 rst 0.2 cifar10 resnet18 s0"),
        (
            f"{RST}/transfer_to_tickets-pgd20-eps8.json",
            "pgd20 eps8 to_tickets rst 0.2 cifar10 resnet18 s0",
        ),
        (f"{INIT}/untrained/feature_distance.json", "untrained cifar10 resnet18 s0"),
        (
            "svhn/tiny/xavier_normal-seed3/rtt_transferred_from_cifar10-keep0.05-row-fgsm-eps12/"
            "last/ticket.pt",
            "rtt_transferred xavier_normal 0.05 row fgsm eps12 from_cifar10 svhn tiny s3",
        ),
        (
            f"{INIT}/r2s_rst-keep0.05+0.1-element-pgd7-eps8/best_val/eot-eps8.json",
            "eot eps8 rst 0.05+0.1 cifar10 resnet18 s0",
        ),
    ],
)
def test_a_name_has_the_axes_that_are_not_the_papers_defaults(path, name):
    assert short_name(parse_cell(path)) == name

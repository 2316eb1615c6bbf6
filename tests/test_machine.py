"""What cells ask of a machine."""

from pathlib import Path

import pytest
import yaml

from rst_core.identity import parse_cell
from tests.conftest import ROOT
from tests.plan.examples import project_in
from workflow.config import ConfigError
from workflow.machine import KINDS, kind_of, may_share, read_machine, resources
from workflow.plan.rates import Rates

MACHINE = read_machine(ROOT / "slurm" / "machine.yaml")
SEED = "signed_kaiming_constant-seed0"
RST = "rst-keep0.2-element-pgd7-eps8"


def cell(file: str, network: str = "resnet18", dataset: str = "cifar10"):
    return parse_cell(f"{dataset}/{network}/{SEED}/{file}")


CELLS = {
    "train": cell("dense-adversarial-pgd7-eps8/best_val/weights.pt"),
    "search": cell(f"{RST}/best_val/ticket.pt"),
    "finetune": cell(f"finetuned_inherited_{RST}/best_val/weights.pt"),
    "attack": cell(f"{RST}/best_val/pgd20-eps8.json"),
    "transfer": cell(f"{RST}/best_val/transfer_to_tickets-pgd20-eps8.json"),
    "adaptive": cell("r2s_rst-keep0.1+0.2-element-pgd7-eps8/best_val/eot_pgd20-eps8.json"),
    "features": cell("untrained/feature_distance.json"),
}


def test_every_kind_of_cell_is_known_and_asks_for_something():
    assert set(CELLS) == set(KINDS)
    for kind, example in CELLS.items():
        assert kind_of(example) == kind
        assert all(value > 0 for value in resources(example, MACHINE).values())


def test_auto_attack_a_wide_network_and_imagenet_take_longer():
    def minutes(file, **where):
        return resources(cell(file, **where), MACHINE)["runtime"]

    pgd, auto = f"{RST}/best_val/pgd20-eps8.json", f"{RST}/best_val/auto_attack-eps8.json"
    assert minutes(auto) > 10 * minutes(pgd)
    assert minutes(pgd, network="wideresnet32") > 4 * minutes(pgd)
    assert minutes(pgd, network="resnet50", dataset="imagenet") > 4 * minutes(pgd)
    assert resources(cell(pgd, dataset="imagenet"), MACHINE)["gpu"] == 4
    assert resources(cell(pgd), MACHINE)["gpu"] == 1


def test_no_cell_of_the_paper_gets_less_time_than_the_plan_says_it_takes(tmp_path):
    """At the rate that is assumed for an A100, unless it is longer than any job may be."""
    project = project_in(tmp_path, counted=None, deltas=())
    rates, short = Rates(project, [], None), {}
    for one in project.matrix.all_cells():
        asked = resources(one, MACHINE)
        planned = rates.seconds(one) / 60 / asked["gpu"]
        if planned > asked["runtime"] < MACHINE.job_minutes:
            network = one.model.network
            short[kind_of(one), one.attack, network.name, network.dataset] = planned, asked
    assert not short


def test_no_job_asks_for_more_time_than_there_is_and_long_evaluations_share_none():
    short = MACHINE.model_copy(update={"job_minutes": 240})
    assert all(resources(one, short)["runtime"] <= 240 for one in CELLS.values())
    assert may_share(CELLS["attack"], MACHINE)
    assert not may_share(cell(f"{RST}/best_val/auto_attack-eps8.json"), MACHINE)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ["--gpus=2"]),
        ({"gpu_type": "rtx-a6000"}, ["--gpus=rtx-a6000:2"]),
        ({"gpu_type": "a100", "gpus_as": "gres"}, ["--gres=gpu:a100:2"]),
        ({"reservation": "mine"}, ["--reservation=mine"]),
        ({"options": ["--exclusive"]}, ["--exclusive"]),
    ],
)
def test_a_request_is_for_one_node_and_a_signal_ahead_of_the_limit(change, words):
    request = MACHINE.model_copy(update=change).request(2, minutes=60)
    assert set(request) >= {"--nodes=1", "--signal=B:TERM@180", *words}
    assert "--signal=B:TERM@15" in MACHINE.request(1, minutes=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"job_minutes": 0}, "job_minutes is 0"),
        ({"acount": "rst"}, "acount"),
        ({"kinds": {}}, "kinds lacks adaptive, attack"),
        ({"gpus_as": "gpu"}, "gpus_as is 'gpu'"),
        ({"options": ["-t 5"]}, "'-t 5' is no option"),
        ({"options": ["--exclusive", "--signal=B:USR1@60"]}, "--signal is set for each job"),
        ({"options": ["--wait"]}, "--wait is set for each job"),
        ({"calibration": "results/calibration.json"}, "calibration"),
    ],
)
def test_a_machine_file_that_cannot_be_used_says_why(tmp_path, change, message):
    file = tmp_path / "machine.yaml"
    good = yaml.safe_load((ROOT / "slurm" / "machine.yaml").read_text())
    file.write_text(yaml.safe_dump(good | change))
    with pytest.raises(ConfigError, match=message):
        read_machine(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_machine(Path(tmp_path / "none.yaml"))

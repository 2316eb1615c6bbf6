"""What cells ask of a machine."""

from pathlib import Path

import pytest
import yaml

from rst_core.spec import parse_cell
from tests.conftest import ROOT
from tests.plan.examples import made_up, project_in
from workflow.config import ConfigError
from workflow.machine import KINDS, kind_of, may_share, read_machine, resources
from workflow.plan.calibration import PlanError, write_calibration
from workflow.plan.cost import CostModel
from workflow.plan.limits import predicted_minutes

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


@pytest.mark.parametrize("kind", KINDS)
def test_a_retry_asks_for_more_but_never_for_more_than_there_is(kind):
    first, second, tenth = (resources(CELLS[kind], MACHINE, attempt) for attempt in (1, 2, 10))
    assert second["mem_mb"] == 2 * first["mem_mb"]
    assert first["runtime"] <= second["runtime"] <= tenth["runtime"] <= MACHINE.longest


def test_cells_that_share_a_job_fit_into_the_partition_at_any_attempt():
    sharing = 20
    search = resources(CELLS["search"], MACHINE, 9, sharing)["runtime"]
    attack = resources(CELLS["attack"], MACHINE, 9, sharing)["runtime"]
    assert search + sharing * attack <= MACHINE.longest
    assert may_share(CELLS["attack"], MACHINE)
    assert not may_share(cell(f"{RST}/best_val/auto_attack-eps8.json"), MACHINE)


def test_minutes_follow_from_a_calibration_where_it_knows_a_cell():
    def runtime(minutes, name="attack", **where):
        asked = resources(cell(CELLS[name].path.split("/", 3)[3], **where), MACHINE, 1, 1, minutes)
        return asked["runtime"]

    assert runtime(lambda _: 7.0) == 21
    assert runtime(lambda _: 0.1) == MACHINE.least
    assert runtime(lambda _: 1e6, "search") == MACHINE.longest - MACHINE.batched
    assert runtime(lambda _: None) == resources(CELLS["attack"], MACHINE)["runtime"]
    # What one GPU computes in 40 minutes, four do in 10.
    assert runtime(lambda _: 40.0, dataset="imagenet", network="resnet50") == 30
    # How long a cell takes decides whether it shares a job.
    assert may_share(CELLS["attack"], MACHINE, lambda _: 10.0)
    assert not may_share(CELLS["attack"], MACHINE, lambda _: 11.0)


def test_a_measured_device_gives_its_minutes_and_the_table_the_rest(tmp_path):
    project = project_in(tmp_path)
    calibration = made_up(project)
    narrow = {"networks": [n for n in calibration.networks if n.width == 0.25]}
    write_calibration(tmp_path / "c.json", calibration.model_copy(update=narrow))
    minutes = predicted_minutes(tmp_path / "c.json", project.matrix, tmp_path)
    search, wide = (
        parse_cell(f"digits/{network}/{SEED}/{RST}/best_val/ticket.pt")
        for network in ("resnet18_narrow", "wideresnet32_narrow")
    )
    cost = CostModel(project.matrix, calibration, project.images).cost(search)
    assert minutes(search) == pytest.approx(cost.total / 60)
    assert minutes(wide) is None
    with pytest.raises(PlanError, match="does not exist; 'rst calibrate' makes it"):
        predicted_minutes(tmp_path / "none.json", project.matrix, tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"longest": 0}, "longest is 0"),
        ({"acount": "rst"}, "acount"),
        ({"kinds": {}}, "kinds lacks adaptive, attack"),
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

"""Every kind of cell beside searches and attacks, through the real Snakemake."""

import copy
import json
from pathlib import Path

import pytest
import torch

from rst_core.identity import Ticket, parse_model
from rst_core.models.contents import unpack_masks
from rst_core.models.files import load_trained, read_model
from rst_core.models.networks import prunable_weights
from rst_core.vocabulary import Selection
from tests.e2e.conftest import TINY, copy_project, tiny

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NETWORK = "digits/tiny/signed_kaiming_constant-seed0"
RECIPE = "keep0.2-element-pgd7-eps8"
BEST = Selection.BEST_VAL


RST, SET = f"rst-{RECIPE}/best_val", "r2s_rst-keep0.2+0.5-element-pgd7-eps8/best_val"
#: One cell of each kind, beside those of the experiment larger_eps; what they need is made too.
WANTED = [
    *(f"finetuned_{start}_rst-{RECIPE}/best_val/weights.pt" for start in (
        "inherited", "reinitialised",
    )),
    *(f"{origin}-{RECIPE}/best_val/ticket.pt" for origin in (
        "rtt_natural", "rtt_adversarial", "rtt_transferred_from_street",
    )),
    "dense-natural/best_val/transfer_to_tickets_and_dense-pgd20-eps8.json",
    f"{RST}/pgd20_l2-eps0.5.json",
    f"{SET}/eot_pgd20-eps8.json",
    f"{SET}/transfer_to_other_seeds-apgd_logits-eps8.json",
    "untrained/feature_distance.json",
    "dense-natural/best_val/feature_distance.json",
]  # fmt: skip


@pytest.fixture(scope="module")
def cells(tmp_path_factory) -> Path:
    """The cells' folder of a project with one cell of each kind."""
    street = copy.deepcopy(TINY["datasets"]["digits"])
    street["images"] |= {"variant": "street"}
    delta = tiny(
        roles={"datasets": {"svhn": "street", "imagenet": "digits"}},
        datasets={"street": street | {"label": "Street digits"}},
        training={"tiny": {"epochs": 1, "decay_epochs": [], "batch_size": 128}},
        experiments={
            "features": {"feature_distance": [4, 16]},
            "larger_eps": {"models": ["rst"], "eps": [16], "keep_ratios": [0.2], "seeds": [0]},
        },
        attacks={
            "pgd20_l2": {"steps": 2},
            "eot_pgd20": {"steps": 2},
            "apgd_logits": {"steps": 5, "restarts": 1, "images": 20},
        },
        seeds=[0, 1],
    )
    project = copy_project(tmp_path_factory.mktemp("kinds"))
    project.config(delta)
    found = project.run("cells_larger_eps", *(f"results/cells/{NETWORK}/{c}" for c in WANTED))
    assert found.returncode == 0, found.stdout + found.stderr
    return project.folder / "results" / "cells"


def record(cells: Path, path: str) -> dict:
    return json.loads((cells / NETWORK / path).read_text())


@pytest.mark.parametrize("start", ["inherited", "reinitialised"])
def test_a_fine_tuned_model_has_its_tickets_zeros_and_new_weights(cells, start):
    tuned = load_trained(cells, parse_model(f"{NETWORK}/finetuned_{start}_rst-{RECIPE}"), BEST)
    ticket_file = cells / NETWORK / f"rst-{RECIPE}" / "best_val" / "ticket.pt"
    masks = unpack_masks(read_model(ticket_file).contents["masks"])
    frozen = load_trained(cells, parse_model(f"{NETWORK}/rst-{RECIPE}"), BEST)
    for name, weight in prunable_weights(tuned).items():
        assert not weight[~masks[name]].any()
        assert not torch.equal(weight, prunable_weights(frozen)[name])


@pytest.mark.parametrize(
    "origin", ["rtt_natural", "rtt_adversarial", "rtt_transferred_from_street"]
)
def test_an_rtt_has_the_weights_of_its_own_dense(cells, origin):
    ticket = parse_model(f"{NETWORK}/{origin}-{RECIPE}")
    assert isinstance(ticket, Ticket)
    assert ticket.dense is not None
    weights = prunable_weights(load_trained(cells, ticket.dense, BEST))
    for name, weight in prunable_weights(load_trained(cells, ticket, BEST)).items():
        kept = weight != 0
        same = torch.equal(weight[kept], weights[name][kept])
        assert same == (origin != "rtt_transferred_from_street" or "classifier" not in name)


KEEP2, KEEP5 = f"rst-{RECIPE}", f"rst-{RECIPE}".replace("0.2", "0.5")


@pytest.mark.parametrize(
    ("path", "images", "judged"),
    [
        (
            "dense-natural/best_val/transfer_to_tickets_and_dense-pgd20-eps8.json",
            360,
            [(0, "dense-natural"), (0, KEEP2), (0, KEEP5), (0, "dense-adversarial-pgd7-eps8")],
        ),
        (f"{SET}/eot_pgd20-eps8.json", 360, [(0, KEEP2), (0, KEEP5)]),
        (
            f"{SET}/transfer_to_other_seeds-apgd_logits-eps8.json",
            20,
            [(0, KEEP2), (0, KEEP5), (1, KEEP2), (1, KEEP5)],
        ),
    ],
)
def test_rows_and_attacks_on_sets_judge_every_model_on_the_same_images(cells, path, images, judged):
    results = record(cells, path)["results"]
    models = [result["model"].split("/")[2:] for result in results]
    assert [(int(network[-1]), model) for network, model in models] == judged
    assert {result["robust"]["total"] for result in results} == {images}


def test_larger_eps_searches_and_attacks_at_that_eps_and_l2_has_its_own(cells):
    found = record(cells, "rst-keep0.2-element-pgd7-eps16/best_val/pgd20-eps16.json")
    assert found["settings"]["attack"]["eps"] == 16
    found = record(cells, f"{RST}/pgd20_l2-eps0.5.json")
    assert found["settings"]["attack"]["norm"] == "l2"
    assert found["settings"]["attack"]["step_size"] == pytest.approx(2.5 * 0.5 / 20)


@pytest.mark.parametrize("folder", ["untrained", "dense-natural/best_val"])
def test_feature_distances_grow_with_the_noise(cells, folder):
    results = record(cells, f"{folder}/feature_distance.json")["results"]
    assert [r["eps"] for r in results] == [4, 16]
    assert 0 < results[0]["mean"] < results[1]["mean"]

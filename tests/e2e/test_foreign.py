"""Somebody else's checkpoints through the real Snakemake: no search, a table."""

import pandas as pd
import pytest
import torch

import rst_core
from rst_core.models.networks import prunable_weights
from rst_core.vocabulary import Architecture, Pattern
from tests.e2e.conftest import copy_project, tiny
from tests.models.test_foreign import network, released_checkpoint

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

NETWORK = "digits/tiny/signed_kaiming_constant-seed0"
SET = f"{NETWORK}/r2s_rst-keep0.2+0.5-element-pgd7-eps8/best_val/eot_pgd20-eps8.json"
ARCHITECTURE = Architecture.POSTACT_RESNET18


def checkpoint():
    """A network whose answers differ from image to image, though nothing trained it."""
    model, (images, _) = network(ARCHITECTURE), rst_core.load_test_images("digits")
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    model.train()(images)
    assert len(model.eval()(images).argmax(1).unique()) > 3
    return model


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = copy_project(tmp_path_factory.mktemp("project"))
    foreign = {
        "dense": {
            "model": f"{NETWORK}/dense-adversarial-pgd7-eps8",
            "file": "theirs/dense.pt",
            "layout": "state_dict",
        }
    }
    folder = project.folder / "theirs"
    folder.mkdir()
    model = checkpoint()
    torch.save(model.state_dict(), folder / "dense.pt")
    for keep in ("0.2", "0.5"):
        released_checkpoint(folder / f"{keep}.pth", model, ARCHITECTURE, Pattern.ELEMENT)
        foreign[f"ticket{keep[-1]}"] = {
            "model": f"{NETWORK}/rst-keep{keep}-element-pgd7-eps8",
            "file": f"theirs/{keep}.pth",
            "layout": "released",
        }
    project.config(
        tiny(
            networks={"tiny": {"build": {"architecture": ARCHITECTURE.value}}},
            attacks={"eot_pgd20": {"steps": 2}},
            foreign=foreign,
        )
    )
    return project


def test_attacks_transfer_rows_and_r2s_of_foreign_models_make_a_table(project, monkeypatch):
    table, cell = "results/tables/table3.csv", f"results/cells/{SET}"
    done = project.run(table, cell)
    assert done.returncode == 0, done.stderr
    logs = project.files("results/logs/digits/**/*.log")
    assert sum("/import_" in log for log in logs) == 3
    assert not any(log.endswith(("search.log", "train.log")) for log in logs)
    shown = pd.read_csv(project.folder / table)
    images = rst_core.load_test_images(project.folder / "results/data/digits.json")
    theirs = checkpoint()
    expected = rst_core.evaluate(theirs, images).natural
    made = shown[shown["mean"].notna() & (shown.measure == "natural")].set_index("series")
    assert set(made.index) == {"dense_adversarial", "r2s"}
    assert made.loc["dense_adversarial", "mean"] == pytest.approx(expected)
    monkeypatch.chdir(project.folder)
    dense = rst_core.load(f"{NETWORK}/dense-adversarial-pgd7-eps8")
    for name, weight in prunable_weights(dense).items():
        assert torch.equal(weight, prunable_weights(theirs)[name])


def test_another_checkpoint_of_the_same_name_is_imported_again(project):
    model = checkpoint()
    file = project.folder / "theirs" / "0.5.pth"
    before = file.read_bytes()
    released_checkpoint(file, model, ARCHITECTURE, Pattern.ELEMENT, seed=7)
    ticket = f"results/cells/{NETWORK}/rst-keep0.5-element-pgd7-eps8/best_val/ticket.pt"
    assert "made with sha256" in project.dry_run(ticket)[1]
    file.unlink()
    assert "its file theirs/0.5.pth does not exist" in project.refuses(ticket)
    file.write_bytes(before)
    assert project.planned("results/tables/table3.csv", f"results/cells/{SET}") == {}


def test_a_model_that_is_neither_foreign_nor_made_here_is_refused(project):
    said = project.refuses(f"results/cells/{NETWORK}/dense-natural/best_val/weights.pt")
    assert "holds foreign models only" in said

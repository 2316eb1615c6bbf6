"""How a command ends that cannot do what it is asked for: status, one sentence, no result."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from rst_core.job import commands
from rst_core.job.cli import DIVERGED, INTERRUPTED, main
from rst_core.models.networks import draw_weight
from rst_core.settings import TrainingSettings
from rst_core.storage import read_header
from rst_core.training.trainee import MaskTrainee
from rst_core.vocabulary import Pattern, Precision
from tests.conftest import NARROW, narrow_classifier, rst, save_trainee
from tests.job.flags import to_flags
from tests.job.test_cli import PGD

CELLS = "results/cells/digits/narrow/signed_kaiming_constant-seed0"
TICKET = f"{CELLS}/rst-keep0.3-element-pgd7-eps8/best_val/ticket.pt"
SETTINGS = {
    "network": {"architecture": "preact_resnet18", "width": 1 / 16},
    "training": {
        "epochs": 1, "batch_size": 256, "lr": 0.1, "decay_epochs": [], "validation_steps": 1,
    },
    "selections": ["last", "best_val"],
}  # fmt: skip


def words(**changes: object) -> list[str]:
    document = SETTINGS | {"training": {**SETTINGS["training"], **changes}}
    return ["search", TICKET, "--data", "data.json", "--settings", json.dumps(document)]


def one_line(capsys) -> str:
    text = capsys.readouterr().err.strip()
    assert "Traceback" not in text
    return text.splitlines()[-1]


@pytest.mark.parametrize("command", ["train", "search"])
def test_divergence_ends_the_cell_with_a_sentence_a_status_and_no_result(results, capsys, command):
    model = "dense-adversarial-pgd7-eps8/best_val/weights.pt"
    cell = f"{CELLS}/{model}" if command == "train" else TICKET
    flags = [*to_flags(NARROW), "--epochs", "9", "--decay-epochs", "8", "--validation-steps", "1"]
    call = [command, cell, "--data", "data.json", *flags, "--batch-size", "64"]
    # Each step multiplies what is trained by -99, and more with momentum.
    assert main([*call, "--lr", "100", "--weight-decay", "1"]) == DIVERGED
    said = one_line(capsys)
    assert "not finite" in said
    assert "learning rate 100" in said
    assert "smaller lr" in said
    assert "epoch " in said
    assert not list(Path("results/cells").rglob("*.pt"))


def test_an_attack_on_a_model_whose_logits_are_not_finite_names_it(results, capsys):
    ticket = rst(0.3)
    model = narrow_classifier()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.fill_(-3e38)
            module.running_var.fill_(0)
    save_trainee(Path("results/cells"), ticket, MaskTrainee(model, 0.3, Pattern.ELEMENT, 0))
    cell = f"results/cells/{ticket.path}/best_val/pgd3-eps8.json"
    assert main(["attack", cell, "--data", "data.json", *to_flags(PGD)]) == DIVERGED
    assert f"{ticket.path} gives logits that are not finite" in one_line(capsys)
    assert not Path(cell).exists()


def test_an_init_that_nothing_draws_is_an_error_not_what_was_in_memory():
    with pytest.raises(AssertionError):
        draw_weight(torch.empty(2, 2), "zeros", torch.Generator())


def test_a_document_and_flags_make_the_same_cell(results, capsys):
    assert main(words()) == 0
    made = read_header(Path(TICKET))
    training = TrainingSettings(
        epochs=1, batch_size=256, lr=0.1, decay_epochs=(), validation_steps=1
    )
    flags = [*to_flags(NARROW), *to_flags(training)]
    assert main(["search", TICKET, "--data", "data.json", *flags]) == 0
    assert "is up to date" in one_line(capsys)
    Path("s.json").write_text(json.dumps(SETTINGS))
    assert main(["search", TICKET, "--data", "data.json", "--settings", "@s.json"]) == 0
    assert read_header(Path(TICKET)) == made
    assert made["settings"]["training"]["precision"] == Precision.TF32


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (words(rate=1), 1, "training.rate is no setting; allowed is one of epochs"),
        ([*words(), "--lr", "1"], 2, "--settings holds all settings; leave out --lr"),
        ([*words()[:-1], "{"], 2, "--settings is no JSON"),
        ([*words()[:-1], "[]"], 2, "allowed is an object"),
        ([*words()[:-1], '{"training": 5}'], 2, "training is 5; allowed is an object"),
        ([*words()[:-1], '{"trainings": {}}'], 2, "allowed is network, training, selections"),
        (["search", TICKET, "--data", "data.json"], 2, "--architecture is missing"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(results, capsys, command, status, said):
    assert main(command) == status
    assert said in one_line(capsys)
    assert not Path("results").exists()


@pytest.mark.parametrize(
    ("cell", "flags", "said"),
    [
        ("pgd3-eps12.json", ["--eps", "8"], "eps is 8.0, and digits/"),
        ("pgd3-eps12.json", ["--name", "pgd20"], "name is 'pgd20', and digits/"),
        ("pgd3-eps12.json", ["--seed", "1"], "seed is 1, and digits/"),
        ("pgd3-eps12.0.json", [], "it is written 'digits/"),
        ("pgd3.json", [], "eps is None"),
    ],
)
def test_what_contradicts_the_cells_name_is_refused(results, capsys, cell, flags, said):
    spec = dataclasses.asdict(PGD) | {"eps": None, "name": None, "seed": None}
    given = [
        "--method", "pgd", "--norm", "linf", "--steps", "3", "--step-size", str(spec["step_size"]),
    ]  # fmt: skip
    folder = TICKET.rpartition("/")[0]
    assert main(["attack", f"{folder}/{cell}", "--data", "data.json", *given, *flags]) == 1
    assert said in one_line(capsys)
    document = {"method": "pgd", "norm": "linf", "steps": 3, "step_size": spec["step_size"]}
    for flag, value in zip(flags[::2], flags[1::2], strict=True):
        document[flag[2:]] = value if flag == "--name" else int(value)
    stated = ["--settings", json.dumps({"attack": document})]
    assert main(["attack", f"{folder}/{cell}", "--data", "data.json", *stated]) == 1
    assert said in one_line(capsys)
    other = f"{folder.replace('cells/digits', 'cells/svhn')}/pgd3-eps12.json"
    assert main(["attack", other, "--data", "data.json", *given]) == 1
    assert "--data is the manifest of digits" in one_line(capsys)


def test_what_is_not_foreseen_is_a_sentence_and_a_traceback_in_the_log(
    results, capsys, monkeypatch
):
    def broken(*settings):
        return {}["x"]

    monkeypatch.setattr(commands, "settings_of", broken)
    assert main(words()) == 1
    text = capsys.readouterr().err.strip().splitlines()
    assert text[0].startswith("Traceback")
    assert text[-1] == "rst search: unexpected KeyError: 'x'; the traceback is above"


def test_a_full_gpu_is_a_sentence_that_says_what_to_lower(results, capsys, monkeypatch):
    def full(*settings):
        raise torch.OutOfMemoryError(
            "CUDA out of memory. Tried to allocate 40.00 GiB. GPU 0 has a total capacity of 39 GiB."
        )

    monkeypatch.setattr(commands, "settings_of", full)
    assert main(words()) == 1
    said = one_line(capsys)
    assert said.startswith("rst search: CUDA out of memory; lower batch_size")


def test_ctrl_c_is_one_line(results, capsys, monkeypatch):
    def pressed(*settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "settings_of", pressed)
    assert main(words()) == INTERRUPTED
    said = capsys.readouterr().err.strip()
    assert (
        said
        == "rst search: interrupted; rerun the same command to continue from the last checkpoint"
    )


def test_ctrl_c_is_one_line_while_the_command_line_is_being_imported():
    program = """
import runpy, sys

class Pressed:
    def find_spec(self, name, path, target=None):
        if name == "rst_core.job.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Pressed())
runpy.run_module("rst_core", run_name="__main__")
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (INTERRUPTED, "rst: interrupted\n")


def test_images_that_changed_since_their_manifest_are_refused(results, capsys):
    manifest = json.loads(Path("data.json").read_text())
    from rst_core.storage import write_json

    del manifest["check"]
    write_json(Path("data.json"), manifest | {"digest": "0" * 64})
    assert main(words()) == 1
    assert "are not those of digits's manifest; make the manifest again" in one_line(capsys)

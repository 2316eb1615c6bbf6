"""What a user of the package calls: rst_core.load, load_test_images, evaluate."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import rst_core
from rst_core.data.sources import load_splits
from rst_core.identity import Ticket, parse_model
from rst_core.measures.evaluation import attack_and_evaluate
from rst_core.models.files import model_path
from rst_core.models.networks import Classifier
from rst_core.settings import AttackSpec
from rst_core.vocabulary import AttackMethod, Norm, Selection
from tests.conftest import DIGITS

DIGIT_TICKET = "digits/resnet18_eighth/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8"
REAL_TICKET = DIGIT_TICKET.replace("digits", "cifar10_6k")


@pytest.fixture(scope="module")
def ticket():
    return rst_core.load(DIGIT_TICKET)


@pytest.fixture(scope="module")
def few():
    return rst_core.load_test_images("digits", 50)


class OwnNetwork(nn.Module):
    """Somebody else's, which knows nothing of this package; right only about images of ones."""

    def forward(self, images):
        return torch.stack([images.flatten(1).mean(1), 1 - images.flatten(1).mean(1)], 1)


def test_importing_the_package_loads_no_torch():
    check = "import sys, rst_core; rst_core.__version__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
    with pytest.raises(AttributeError, match="nothing_of_it"):
        _ = rst_core.nothing_of_it
    assert all(getattr(rst_core, name) for name in rst_core.__all__)


def test_every_example_loads_by_name_and_by_file():
    assert {DIGIT_TICKET, REAL_TICKET} <= set(rst_core.example_names())
    for name in rst_core.example_names():
        file = model_path(rst_core.api._EXAMPLES, parse_model(name), Selection.BEST_VAL)
        by_name, by_file = rst_core.load(name), rst_core.load(file)
        assert isinstance(by_name, Classifier)
        for key, value in by_name.state_dict().items():
            assert torch.equal(value, by_file.state_dict()[key])


@pytest.mark.parametrize("run", ["", "demo"])
def test_ones_own_results_come_before_the_examples(tmp_path, monkeypatch, run):
    own = tmp_path / "results" / run / "cells" / DIGIT_TICKET / "best_val" / "ticket.pt"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"damaged")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="damaged"):
        rst_core.load(DIGIT_TICKET, run=run)
    assert rst_core.load(DIGIT_TICKET, run="another")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (DIGIT_TICKET.replace("0.2", "0.3"), r"make results/cells/.*rst-keep0.3.* or load an"),
        ("resnet18", "names no model"),
        (DIGIT_TICKET.rpartition("/")[0] + "/untrained", "drawn, not stored"),
        ("nowhere/ticket.pt", "nowhere/ticket.pt does not exist"),
    ],
)
def test_what_cannot_be_loaded_is_said(name, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        rst_core.load(name)


def test_it_measures_as_a_cell_of_the_workflow_does(ticket):
    images = load_splits(DIGITS).test.first(100)
    spec = AttackSpec(
        name="pgd5", method=AttackMethod.PGD, norm=Norm.LINF, eps=8, steps=5, step_size=2,
        random_start=True,
    )  # fmt: skip
    for size in (500, 30):  # random starts are drawn by batch
        expected = attack_and_evaluate(
            ticket, {"self": ticket}, images, spec, batch_size=size
        ).outcomes["self"]
        found = rst_core.evaluate(
            ticket, rst_core.load_test_images(DIGITS, 100), "pgd5-eps8", batch_size=size
        )
        assert torch.equal(found.outcomes.bool(), expected)
    assert found.robust == pytest.approx(100 * expected.double().mean().item())


def test_any_module_is_evaluated_and_any_function_attacks():
    bright = torch.cat([torch.full((3, 3, 4, 4), 0.9), torch.full((1, 3, 4, 4), 0.45)])
    labels = torch.zeros(4, dtype=torch.int64)
    darker = rst_core.evaluate(OwnNetwork(), (bright, labels), lambda x, y: x - 0.42)
    assert (darker.natural, darker.robust) == (75, 0)
    assert rst_core.evaluate(OwnNetwork(), (bright, labels)).robust is None
    assert rst_core.evaluate(OwnNetwork(), (bright, labels), "pgd20-eps8").robust == 75


def test_a_switch_is_judged_by_its_exact_expectation(few):
    name = DIGIT_TICKET.replace("rst-keep0.2", "r2s_rst-keep0.05+0.2+0.5")
    switch = rst_core.load(name)
    tickets = parse_model(name).tickets
    assert all(isinstance(one, Ticket) for one in tickets)
    each = [rst_core.evaluate(rst_core.load(one.path), few).natural for one in tickets]
    assert rst_core.evaluate(switch, few).natural == pytest.approx(sum(each) / 3)
    whole = AttackSpec(
        name="eot", method=AttackMethod.EOT, norm=Norm.LINF, eps=8, steps=5, step_size=2,
        stop_at_success=False,
    )  # fmt: skip
    found = rst_core.evaluate(switch, few, whole)
    assert found.robust < found.natural
    # An attack's name means its form for expectations: no image stops at a draw that errs.
    by_name = rst_core.evaluate(switch, few, "pgd5-eps8").outcomes
    named = rst_core.evaluate(switch, few, replace(whole, name="pgd5")).outcomes
    assert torch.equal(by_name, named)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.mul(255).byte(), r"torch.uint8; .* divide bytes by 255"),
        (lambda x: x * 255, r"lie in \[0, 255\]; .* normalise in the model"),
        (lambda x: (x - 0.5) / 0.5, r"lie in \[-1, 1\]"),
        (lambda x: x[:, :1], r"shape \(50, 1, 8, 8\)"),
        (lambda x: x[0], r"shape \(3, 8, 8\)"),
        (lambda x: x[:0], "no images"),
        (lambda x: x[:9], r"allowed are 9 class indices"),
    ],
)
def test_wrong_images_are_refused(ticket, few, change, message):
    images, labels = few
    changed = change(images)
    with pytest.raises(ValueError, match=message):
        rst_core.evaluate(ticket, (changed, labels[:0] if not len(changed) else labels))


def test_a_model_refuses_what_is_no_image(ticket, few):
    for wrong in (few[0].mul(255).byte(), few[0][:, :1], few[0][0]):
        with pytest.raises(ValueError, match="allowed are float images"):
            ticket(wrong)
    with pytest.raises(ValueError, match="names no attack; allowed is pgdSTEPS"):
        rst_core.evaluate(ticket, few, "pgd-20")


def test_a_ticket_goes_through_safetensors(ticket, few, tmp_path):
    images = few[0]
    save_file(ticket.state_dict(), tmp_path / "ticket.safetensors")
    file = str(model_path(rst_core.api._EXAMPLES, parse_model(DIGIT_TICKET), Selection.BEST_VAL))
    twin = rst_core.load_model(file)
    for value in (*twin.parameters(), *twin.buffers()):
        value.zero_()
    twin.load_state_dict(load_file(tmp_path / "ticket.safetensors"))
    assert torch.equal(twin(images), ticket(images))
    assert isinstance(ticket.network, nn.Module)


def test_test_images_come_from_folders_of_both_layouts(tmp_path, few):
    from PIL import Image

    images, labels = few
    for half in ("test", "train"):
        for number in (0, 1, 2):
            path = tmp_path / half / f"class{labels[number]}" / f"{number}.png"
            path.parent.mkdir(parents=True)
            pixels = images[number].mul(255).byte().permute(1, 2, 0).contiguous().numpy()
            Image.fromarray(pixels).save(path)
    for path in (tmp_path / "train").rglob("*.png"):
        path.write_bytes(b"no image: nobody reads it")
    for folder in (tmp_path, tmp_path / "test"):
        found, names = rst_core.load_test_images(folder)
        assert torch.equal(found, images[labels[:3].argsort()])
        assert names.tolist() == [0, 1, 2]
    (tmp_path / "test").rename(tmp_path / "val")
    assert torch.equal(rst_core.load_test_images(tmp_path)[0], found)
    (tmp_path / "test").mkdir()
    with pytest.raises(ValueError, match="both test/ and val/"):
        rst_core.load_test_images(tmp_path)
    (tmp_path / "test").rmdir()
    (tmp_path / "val").rename(tmp_path / "held_out")
    with pytest.raises(FileNotFoundError, match="neither test/ nor val/"):
        rst_core.load_test_images(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"results/data/nowhere\.json"):
        rst_core.load_test_images("nowhere")

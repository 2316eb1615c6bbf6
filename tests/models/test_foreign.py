"""Checkpoints of others become our model files, or are refused with a sentence."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from rst_core.device.compat import import_torchvision
from rst_core.identity import Dense, Network
from rst_core.models.files import Head, load_model, model_path, save_model
from rst_core.models.foreign import _by_scores, read_foreign
from rst_core.models.networks import build_classifier, draw_weights, prunable_weights
from rst_core.models.r2s import load_random_switch
from rst_core.settings import NetworkSettings
from rst_core.vocabulary import Architecture, CheckpointLayout, Init, Pattern, Selection
from tests.conftest import DIGITS, PGD7, rst

IMAGES = torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))
DENSE = Dense(Network("digits", "theirs", Init.SIGNED_KAIMING_CONSTANT, 0), PGD7)
#: How many trailing dimensions a score has less than its weight, in the released code.
SHORTER = {Pattern.ELEMENT: 0, Pattern.ROW: 1, Pattern.KERNEL: 2, Pattern.CHANNEL: 3}


def ticket_of(keep_ratio=0.2, pattern=Pattern.ELEMENT):
    return dataclasses.replace(rst(keep_ratio, pattern), network=DENSE.network)


def settings_of(architecture):
    return NetworkSettings(architecture=architecture, width=1 / 16)


def network(architecture):
    model = build_classifier(settings_of(architecture), 10, DIGITS.mean, DIGITS.std)
    draw_weights(model, Init.KAIMING_NORMAL, 3)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        for name, buffer in model.named_buffers():
            if "running" in name:
                buffer.copy_(torch.rand(buffer.shape) + 0.5)
    return model.requires_grad_(False).eval()


def released_name(name, architecture):
    name = name.removeprefix("network.")
    if architecture is Architecture.WIDE_RESNET34:
        if name.startswith("blocks."):
            number, rest = int(name.split(".")[1]), name.split(".", 2)[2]
            name = f"block{number // 5 + 1}.layer.{number % 5}.{rest}"
        name = name.replace("shortcut", "convShortcut").replace("classifier.", "fc.")
        name = "bn1." + name.removeprefix("bn.") if name.startswith("bn.") else name
    return f"module.{name}"


def released_checkpoint(path, model, architecture, pattern=None, seed=0):
    """A file as the released code saves it, and its effective weights by our names."""
    state, effective = {}, {}
    for name, value in model.state_dict().items():
        if name in ("mean", "std"):
            continue
        theirs = released_name(name, architecture)
        state[theirs] = value[..., None, None] if value.dim() == 2 else value
        if pattern is not None and name in prunable_weights(model):
            weight = state[theirs]
            shape = weight.shape[: 4 - SHORTER[pattern]]
            scores = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
            state[theirs.replace(".weight", ".scores")] = scores
            order = scores.abs().flatten().argsort(descending=True)
            kept = scores.numel() - int((1 - 0.2) * scores.numel())
            mask = torch.zeros(scores.numel()).scatter(0, order[:kept], 1.0).view(shape)
            masked = weight * mask.view(*shape, *(1,) * SHORTER[pattern])
            effective[name] = masked.reshape(value.shape)
    rest = {"epoch": 160, "arch": "cResNet18", "best_acc1": torch.tensor(51.2), "optimizer": {}}
    torch.save({**rest, "state_dict": state}, path)
    return effective


def imported(folder, path, layout, identity, architecture):
    """Our model file of a checkpoint, loaded."""
    empty = build_classifier(settings_of(architecture), 10, DIGITS.mean, DIGITS.std)
    contents = read_foreign(path, layout, identity, architecture, empty)
    file = model_path(folder, identity, Selection.BEST_VAL)
    save_model(file, identity, settings_of(architecture), Head.of(DIGITS), contents, {})
    return load_model(file)


@pytest.mark.parametrize("pattern", Pattern)
@pytest.mark.parametrize(
    "architecture", [Architecture.POSTACT_RESNET18, Architecture.WIDE_RESNET34]
)
def test_a_released_ticket_is_the_same_function(tmp_path, architecture, pattern):
    model, path = network(architecture), tmp_path / "model_best.pth"
    effective = released_checkpoint(path, model, architecture, pattern)
    found = imported(
        tmp_path, path, CheckpointLayout.RELEASED, ticket_of(0.2, pattern), architecture
    )
    for name, weight in prunable_weights(model).items():
        weight.copy_(effective[name])
    assert torch.allclose(found(IMAGES), model(IMAGES), atol=1e-5)


def test_released_tickets_over_the_same_weights_are_a_switch(tmp_path):
    model = network(Architecture.POSTACT_RESNET18)
    files = []
    for keep_ratio, seed in ((0.1, 1), (0.3, 2)):
        path = tmp_path / f"{keep_ratio}.pth"
        released_checkpoint(path, model, Architecture.POSTACT_RESNET18, Pattern.ELEMENT, seed)
        ticket = ticket_of(keep_ratio)
        imported(tmp_path, path, CheckpointLayout.RELEASED, ticket, Architecture.POSTACT_RESNET18)
        files.append(model_path(tmp_path, ticket, Selection.BEST_VAL))
    switch = load_random_switch(files)
    for number, file in enumerate(files):
        assert torch.allclose(switch.tickets[number](IMAGES), load_model(file)(IMAGES), atol=1e-5)
    other = network(Architecture.POSTACT_RESNET18)
    other.network.fc.weight.mul_(2)
    released_checkpoint(path, other, Architecture.POSTACT_RESNET18, Pattern.ELEMENT, 2)
    imported(tmp_path, path, CheckpointLayout.RELEASED, ticket, Architecture.POSTACT_RESNET18)
    with pytest.raises(ValueError, match="other weights"):
        load_random_switch(files)


def test_a_plain_state_dict_may_have_affine_norms_and_a_bias(tmp_path):
    torch.manual_seed(0)
    theirs = import_torchvision().models.resnet18(num_classes=10).eval()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight)
            torch.nn.init.normal_(module.bias)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pt")
    settings = NetworkSettings(architecture=Architecture.RESNET18)
    empty = build_classifier(settings, 10, DIGITS.mean, DIGITS.std)
    contents = read_foreign(
        tmp_path / "theirs.pt", CheckpointLayout.STATE_DICT, DENSE, Architecture.RESNET18, empty
    )
    file = model_path(tmp_path, DENSE, Selection.BEST_VAL)
    save_model(file, DENSE, settings, Head.of(DIGITS), contents, {})
    normalised = (IMAGES - torch.tensor(0.3)) / torch.tensor(0.37)
    assert torch.allclose(load_model(file)(IMAGES), theirs(normalised), atol=1e-4)


def test_a_plain_state_dict_of_a_ticket_is_pruned_where_it_is_zero(tmp_path):
    architecture = Architecture.PREACT_RESNET18
    model = network(architecture)
    for weight in prunable_weights(model).values():
        threshold = weight.abs().flatten().kthvalue(round(0.8 * weight.numel())).values
        weight.mul_(weight.abs() > threshold)
    torch.save(model.state_dict(), tmp_path / "pruned.pt")
    path = tmp_path / "pruned.pt"
    found = imported(tmp_path, path, CheckpointLayout.STATE_DICT, ticket_of(0.2), architecture)
    assert torch.allclose(found(IMAGES), model(IMAGES), atol=1e-6)
    with pytest.raises(ValueError, match=r"are not zero; .*keep0.5.* keeps 0.5"):
        imported(tmp_path, path, CheckpointLayout.STATE_DICT, ticket_of(0.5), architecture)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("network.bn.running_var"), "has no network.bn.running_var"),
        (lambda state: state.update({"network.conv1.weight": torch.ones(1)}), "has the shape"),
        (lambda state: state.update({"network.extra.weight": torch.ones(1)}), "network lacks"),
        (lambda state: state.update({"epoch": 3}), "holds no state dict"),
        (lambda state: state.update({"conv1.scores": torch.ones(1)}), "it is a ticket"),
        (lambda state: state.update({"std": torch.ones(3)}), r"normalises with std \[1.0, "),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, change, message):
    state = dict(network(Architecture.PREACT_RESNET18).state_dict())
    change(state)
    torch.save(state, tmp_path / "wrong.pt")
    with pytest.raises(ValueError, match=message):
        imported(
            tmp_path,
            tmp_path / "wrong.pt",
            CheckpointLayout.STATE_DICT,
            DENSE,
            Architecture.PREACT_RESNET18,
        )


def test_released_scores_keep_all_but_the_whole_part_that_is_pruned():
    """n - floor((1 - k) n), of three at one half two."""
    mask = _by_scores(torch.tensor([0.3, -0.1, 0.2]), torch.ones(3, 1), 0.5)
    assert mask.flatten().tolist() == [True, False, True]

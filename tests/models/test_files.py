import dataclasses
from pathlib import Path

import pytest
import torch

from rst_core.identity import Adversary, Dense, FineTuned, Network, Ticket, TrainingCell
from rst_core.key import Inputs
from rst_core.models.files import (
    Head,
    load_model,
    load_trained,
    model_path,
    read_model,
    save_model,
    set_starting_weights,
)
from rst_core.models.masks import kept_count
from rst_core.models.networks import build_classifier, draw_weights, prunable_weights
from rst_core.settings import NetworkSettings
from rst_core.storage import read_header
from rst_core.training.trainee import MaskTrainee, WeightTrainee
from rst_core.vocabulary import Architecture, Init, Origin, Pattern, SearchMethod, Selection, Start
from tests.conftest import (
    DIGITS,
    NARROW,
    NETWORK,
    PGD7,
    narrow_classifier,
    rst,
    save_trainee,
    unsearched,
)

HEAD = Head.of(DIGITS)
BEST = Selection.BEST_VAL


def save_ticket(root: Path, ticket: Ticket, dense: dict[str, str] | None = None) -> MaskTrainee:
    """``dense``: digests of the contents of what the ticket is made from, by cell path."""
    trainee, bases = unsearched(ticket), dense or {}
    inputs = Inputs(bases=bases, keys=dict.fromkeys(bases))
    save_trainee(root, ticket, trainee, inputs=inputs)
    return trainee


def save_dense(root: Path, dense: Dense) -> WeightTrainee:
    trainee = WeightTrainee(narrow_classifier(Init.KAIMING_NORMAL, 99))
    save_trainee(root, dense, trainee)
    return trainee


@pytest.mark.parametrize("pattern", list(Pattern))
def test_a_loaded_ticket_is_the_searched_model_as_a_plain_module(tmp_path, pattern):
    ticket = rst(0.3, pattern)
    trainee = save_ticket(tmp_path, ticket)
    model = load_model(model_path(tmp_path, ticket, BEST))
    images = torch.rand(4, 3, 8, 8)
    with torch.no_grad():
        expected = torch.func.functional_call(trainee.model.eval(), trainee.weights(), (images,))
    assert torch.allclose(model(images), expected, atol=1e-6)
    assert not model.training
    assert not any(p.requires_grad for p in model.parameters())
    for name, weight in prunable_weights(model).items():
        scores = trainee.variables[name]
        group = weight.numel() // scores.numel()
        assert int(weight.count_nonzero()) == kept_count(scores.numel(), 0.3) * group


@pytest.mark.parametrize("keep_ratio", [0.05, 0.5])
def test_a_ticket_file_is_at_most_a_twentieth_of_its_weights(tmp_path, keep_ratio):
    """PreActResNet-18 at full width; bits at 0.5 do not compress, at 0.05 to less than half."""
    settings = NetworkSettings(architecture=Architecture.PREACT_RESNET18)
    model = build_classifier(settings, 10, DIGITS.mean, DIGITS.std)
    draw_weights(model, Init.SIGNED_KAIMING_CONSTANT, 0)
    state = tmp_path / "state.pt"
    torch.save(model.state_dict(), state)
    trainee = MaskTrainee(model, keep_ratio, Pattern.ELEMENT, 0)
    path = tmp_path / "ticket.pt"
    save_model(path, rst(keep_ratio), settings, HEAD, trainee.contents(), {})
    ratio = state.stat().st_size / path.stat().st_size
    assert ratio >= (60 if keep_ratio <= 0.05 else 20)


def test_an_rtt_lies_over_its_dense_and_knows_it(tmp_path):
    dense = Dense(NETWORK, PGD7)
    weights = save_dense(tmp_path, dense).variables
    dense_file = model_path(tmp_path, dense, BEST)
    ticket = dataclasses.replace(rst(0.5), origin=Origin.RTT_ADVERSARIAL)
    save_ticket(
        tmp_path, ticket, {TrainingCell(dense, BEST).path: read_header(dense_file)["contents"]}
    )
    model = load_trained(tmp_path, ticket, BEST)
    for name, weight in prunable_weights(model).items():
        kept = weight != 0
        assert torch.equal(weight[kept], weights[name].detach()[kept])
    with pytest.raises(ValueError, match="give that dense's weights file"):
        load_model(model_path(tmp_path, ticket, BEST))

    # Made again, on another day: the same model.
    made = read_model(dense_file).contents
    save_model(dense_file, dense, NARROW, HEAD, made, {"epochs": 1, "host": "another"})
    load_trained(tmp_path, ticket, BEST)
    made["weights"]["network.conv1.weight"][0, 0, 0, 0] += 1e-6
    save_model(dense_file, dense, NARROW, HEAD, made, {"epochs": 1})
    with pytest.raises(ValueError, match=r"is not the model that .* was searched on"):
        load_trained(tmp_path, ticket, BEST)


def test_a_transferred_rtt_draws_its_classifier_anew(tmp_path):
    from rst_core.models.files import set_frozen_weights

    adversary = Adversary(SearchMethod.PGD7, 8.0)
    other = Network("street", "narrow", NETWORK.init, 0)
    dense = Dense(other, adversary)
    trained = save_dense(tmp_path, dense).variables
    ticket = Ticket(NETWORK, Origin.RTT_TRANSFERRED, 0.5, Pattern.ELEMENT, adversary, "street")
    model = narrow_classifier()
    set_frozen_weights(model, ticket, model_path(tmp_path, dense, BEST))
    fresh = prunable_weights(narrow_classifier())
    for name, weight in prunable_weights(model).items():
        expected = fresh[name] if "classifier" in name else trained[name]
        assert torch.equal(weight, expected)


@pytest.mark.parametrize("start", list(Start))
def test_fine_tuning_starts_from_the_tickets_weights_or_from_new_ones(tmp_path, start):
    ticket = rst(0.3)
    masks = save_ticket(tmp_path, ticket).masks()
    model = narrow_classifier(Init.XAVIER_NORMAL, 5)
    found = set_starting_weights(
        model, FineTuned(ticket, start), {ticket: model_path(tmp_path, ticket, BEST)}
    )
    assert all(torch.equal(found[name], masks[name]) for name in masks)
    drawn = prunable_weights(narrow_classifier())
    same = [torch.equal(w, drawn[n]) for n, w in prunable_weights(model).items()]
    assert all(same) if start is Start.INHERITED else not any(same)
    if start is Start.REINITIALISED:
        weight = prunable_weights(model)["network.blocks.7.conv2.weight"]
        assert weight.std().item() == pytest.approx((2 / weight[0].numel()) ** 0.5, rel=0.1)
        assert weight.abs().max() > 3 * weight.std(), "normal: neither uniform nor constant"


def test_reinitialised_weights_are_not_those_that_the_network_was_drawn_with(tmp_path):
    """Also where both are Kaiming normal of one seed."""
    network = dataclasses.replace(NETWORK, init=Init.KAIMING_NORMAL)
    ticket = dataclasses.replace(rst(0.3), network=network)
    save_ticket(tmp_path, ticket)
    model, drawn = narrow_classifier(), narrow_classifier(Init.KAIMING_NORMAL, network.seed)
    bases = {ticket: model_path(tmp_path, ticket, BEST)}
    set_starting_weights(model, FineTuned(ticket, Start.REINITIALISED), bases)
    for name, weight in prunable_weights(model).items():
        assert not torch.equal(weight, prunable_weights(drawn)[name]), name

import pytest
from hypothesis import given

from rst_core.axes import (
    AXES,
    DEFAULTS,
    KINDS,
    METHOD_AXES,
    MODEL_COLUMNS,
    TICKETS,
    model_axes,
    model_kind,
    model_of,
    owned,
)
from rst_core.vocabulary import Origin
from tests.test_identity import denses, finetuned, networks, sets, tickets
from workflow.artifacts.tables.keys import values_of, variant

PLACE = {"dataset": "svhn", "network": "resnet18"}


tuned_rsts = finetuned.filter(lambda model: model.ticket.origin is Origin.RST)


@given(denses | tickets | tuned_rsts | sets)
def test_a_model_and_its_axes_are_one_thing(model):
    assert model_of(model_axes(model)) == model
    # What another kind has is ignored.
    more = {"candidates": None, "pretrained_on": "other", "method": "fgsm", "keep_ratio": 0.5}
    own = {name: value for name, value in model_axes(model).items() if value is not None}
    if model_axes(model)["candidates"] is None:
        assert model_of(more | DEFAULTS | own) == model


@given(networks)
def test_every_word_names_a_model(network):
    axes = {"dataset": network.dataset, "network": network.name, "init": network.init, "seed": 3}
    axes |= {"pattern": "row", "method": "fgsm", "trained_eps": 4, "keep_ratio": 0.5}
    for kind in KINDS:
        model = model_of(axes | {"model": kind, "pretrained_on": "other"})
        assert model_kind(model) == model_axes(model)["model"] == kind
        assert hasattr(getattr(model, "ticket", model), "keep_ratio") == (kind in TICKETS)


@pytest.mark.parametrize(
    ("kind", "pattern", "lacking"),
    [
        ("untrained", "row", {"keep_ratio", "pattern", "score_init", "method", "trained_eps"}),
        ("dense_natural", "row", {"keep_ratio", "pattern", "score_init", "method", "trained_eps"}),
        ("dense_adversarial", "row", {"keep_ratio", "pattern", "score_init"}),
        ("rst", "element", {"score_init"}),
        ("rst", "row", set()),
        ("finetuned_inherited", "row", set()),
    ],
)
def test_a_number_is_asked_for_by_the_axes_that_its_models_have(kind, pattern, lacking):
    axes = DEFAULTS | PLACE | {"model": kind, "pattern": pattern, "keep_ratio": 0.2}
    found = owned(axes | {"pretrained_on": "cifar10", "attack": "pgd20"})
    assert list(found) == list(MODEL_COLUMNS)
    gone = {name for name, value in found.items() if value is None}
    assert gone == lacking | {"seed", "pretrained_on"}
    assert all(value in (None, axes[name]) for name, value in found.items() if name in axes)


def test_a_keep_ratio_may_be_left_open():
    assert owned(DEFAULTS | PLACE | {"model": "rst"})["keep_ratio"] is None


def test_a_word_is_a_value_of_one_axis_only():
    words = [word for axis in AXES for word in axis.words]
    assert len(set(words)) == len(words)
    for axis in METHOD_AXES:
        for value in axis.words or (2.5, 8.0):
            assert values_of([variant(axis, value)]) == {axis.name: value}
    with pytest.raises(ValueError, match="'pixel' is no variant; allowed is a value of one of"):
        values_of(["pixel"])

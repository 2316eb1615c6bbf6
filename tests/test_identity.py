import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rst_core.identity import (
    Adversary,
    CandidateSet,
    Cell,
    Dense,
    Evaluation,
    FeatureDistance,
    FineTuned,
    Network,
    Ticket,
    TrainingCell,
    TransferRow,
    Untrained,
    parse_cell,
    parse_model,
    split_cell_path,
)
from rst_core.vocabulary import Init, Origin, Pattern, ScoreInit, SearchMethod, Selection, Start

names = st.from_regex(r"[a-z][a-z0-9]{0,6}(_[a-z0-9]{1,5}){0,2}", fullmatch=True)
ratios = st.integers(1, 10_000).map(lambda n: n / 10_000)
sizes = st.integers(1, 6_400).map(lambda n: n / 100)
networks = st.builds(Network, names, names, st.sampled_from(Init), st.integers(0, 999))
adversaries = st.builds(Adversary, st.sampled_from(SearchMethod), sizes)
patterns = st.sampled_from(Pattern)
denses = st.builds(Dense, networks, st.none() | adversaries)
tickets = st.builds(
    Ticket,
    networks,
    st.sampled_from([Origin.RST, Origin.RTT_NATURAL, Origin.RTT_ADVERSARIAL]),
    ratios,
    patterns,
    adversaries,
) | st.builds(
    Ticket, networks, st.just(Origin.RTT_TRANSFERRED), ratios, patterns, adversaries, names
)
tickets |= st.builds(
    Ticket,
    networks,
    st.just(Origin.RST),
    ratios,
    patterns.filter(lambda pattern: pattern is not Pattern.ELEMENT),
    adversaries,
    st.none(),
    st.sampled_from(ScoreInit),
)
finetuned = st.builds(FineTuned, tickets, st.sampled_from(Start))
sets = st.builds(
    CandidateSet,
    networks,
    st.sampled_from([Origin.RST, Origin.RTT_ADVERSARIAL]),
    st.lists(ratios, min_size=2, max_size=7, unique=True).map(tuple),
    patterns,
    adversaries,
)
selections = st.sampled_from(Selection)
attack_names = names.filter(lambda n: n != "feature_distance")
cells = st.one_of(
    st.builds(TrainingCell, denses | tickets | finetuned, selections),
    st.builds(
        Evaluation, denses | tickets | finetuned | sets, selections, attack_names, st.none() | sizes
    ),
    st.builds(
        TransferRow, denses | tickets | sets, selections, names, attack_names, st.none() | sizes
    ),
    st.builds(FeatureDistance, denses, selections),
    st.builds(FeatureDistance, st.builds(Untrained, networks), st.none()),
)


@given(denses | tickets | finetuned | sets)
def test_a_model_and_its_path_are_one_thing(model):
    assert parse_model(model.path) == model


@given(cells, st.sampled_from(["", "results/cells/", "/a/b.c/d-e/"]))
def test_a_cell_and_its_path_are_one_thing(cell: Cell, root: str):
    assert parse_cell(cell.path) == cell
    found_root, found = split_cell_path(root + cell.path)
    assert found == cell
    assert found_root.rstrip("/") == (root.rstrip("/") or ".")


def test_a_path_reads_like_its_sentence():
    network = Network("cifar10", "resnet18", Init.SIGNED_KAIMING_CONSTANT, 0)
    ticket = Ticket(network, Origin.RST, 0.2, Pattern.ELEMENT, Adversary(SearchMethod.PGD7, 8.0))
    assert Evaluation(ticket, Selection.BEST_VAL, "pgd20", 8).path == (
        "cifar10/resnet18/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8/"
        "best_val/pgd20-eps8.json"
    )


@pytest.mark.parametrize(
    "path",
    [
        "cifar10/resnet18/signed_kaiming_constant-seed0/rst-keep0.2-element-pgd7-eps8",
        "cifar10/resnet18/made_up_init-seed0/rst-keep0.2-element-pgd7-eps8/best_val/ticket.pt",
        "cifar10/resnet18/kaiming_normal-seed0/rst-keep0.2-element-pgd7-eps8/best_val/weights.pt",
        "cifar10/resnet18/kaiming_normal-seed0/dense-natural/sometimes/weights.pt",
        "cifar10/resnet18/kaiming_normal-seed0/dense-natural/feature_distance.json",
        "cifar10/resnet18/kaiming_normal-seed0/untrained/last/feature_distance.json",
        "d/n/kaiming_normal-seed0/rst-keep0.2-row-pgd7-eps8/last/feature_distance.json",
        "d/n/kaiming_normal-seed0/finetuned_inherited_rst-keep0.2-row-pgd7-eps8/last/"
        "transfer_to_tickets-pgd20-eps8.json",
        "d/n/kaiming_normal-seed0/rst_from_svhn-keep0.2-element-pgd7-eps8/last/ticket.pt",
        "d/n/kaiming_normal-seed0/r2s_rtt_transferred-keep0.1+0.2-row-pgd7-eps8/last/pgd20.json",
        "nonsense",
    ],
)
def test_what_names_no_cell_is_refused_with_an_example(path):
    with pytest.raises(ValueError, match=r"names no|the transferred RTTs"):
        parse_cell(path)


@pytest.mark.parametrize("keep_ratio", [0.0, -0.1, 1.5, float("nan")])
def test_a_keep_ratio_outside_its_range_is_refused(keep_ratio):
    network = Network("d", "n", Init.KAIMING_NORMAL, 0)
    with pytest.raises(ValueError, match=r"allowed is a fraction in \(0, 1\]"):
        Ticket(network, Origin.RST, keep_ratio, Pattern.ELEMENT, Adversary(SearchMethod.PGD7, 8))


def test_only_transferred_tickets_name_another_dataset():
    network = Network("d", "n", Init.KAIMING_NORMAL, 0)
    adversary = Adversary(SearchMethod.PGD7, 8)
    with pytest.raises(ValueError, match="transferred"):
        Ticket(network, Origin.RST, 0.1, Pattern.ELEMENT, adversary, "svhn")
    transferred = Ticket(network, Origin.RTT_TRANSFERRED, 0.1, Pattern.ELEMENT, adversary, "svhn")
    assert transferred.dense == Dense(Network("svhn", "n", Init.KAIMING_NORMAL, 0), adversary)


@pytest.mark.parametrize(
    ("written", "other"),
    [
        ("keep0.2", "keep0.20"),
        ("-eps8/", "-eps8.0/"),
        ("seed0", "seed00"),
        ("seed0", "seed٠"),
        ("pgd20-eps8.json", "pgd20-eps08.json"),
        ("r2s_rst-keep0.05+0.1+0.2-", "r2s_rst-keep0.1+0.05+0.2-"),
        ("r2s_rst-keep0.05+0.1+0.2-", "r2s_rst-keep0.2+0.1+0.05-"),
    ],
)
def test_a_cell_has_one_name(written, other):
    network = "cifar10/resnet18/signed_kaiming_constant-seed0"
    model = "r2s_rst-keep0.05+0.1+0.2" if "r2s" in written else "rst-keep0.2"
    path = f"{network}/{model}-element-pgd7-eps8/best_val/pgd20-eps8.json"
    assert parse_cell(path).path == path
    with pytest.raises(ValueError, match=re.escape(f"it is written '{network}/{model}-")):
        parse_cell(path.replace(written, other))


def test_a_candidate_set_has_a_ratio_once():
    with pytest.raises(ValueError, match="each is allowed once"):
        parse_model("d/n/kaiming_normal-seed0/r2s_rst-keep0.1+0.1-element-pgd7-eps8")

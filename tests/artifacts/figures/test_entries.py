"""Which panels and series each figure has, as the paper has them."""

import pytest

from tests.artifacts.figures.pictures import BOTH, FIGURES

SIX = ["rst", "finetuned_inherited", "finetuned_reinitialised"]
RTTS = ["rst", "rtt_natural", "rtt_adversarial"]
INITS = ["signed_kaiming_constant", "kaiming_normal", "xavier_normal", "kaiming_uniform"]
FOUR = [("a", "cifar10", "resnet18"), ("b", "cifar100", "resnet18")]
FOUR += [("c", "cifar10", "wideresnet32"), ("d", "cifar100", "wideresnet32")]


def _four(series, measure):
    return [(letter, data, [network], measure, series) for letter, data, network in FOUR]


def _one(letter, data, series, measure="robust"):
    return [(letter, data, ["resnet18"], measure, series)]


#: Letter, dataset, networks, measure and series of each panel, from the paper's captions.
PANELS = {
    "fig1": [
        ("a", "cifar10", BOTH, "robust", ["rst", "rst"]),
        ("b", "cifar10", BOTH, "natural", ["rst", "rst"]),
        ("c", "cifar100", BOTH, "robust", ["rst", "rst"]),
        ("d", "cifar100", BOTH, "natural", ["rst", "rst"]),
        *_one("e", "cifar10", INITS),
        *_one("f", "cifar100", INITS),
        *_one("g", "cifar10", ["element", "row", "kernel", "channel"]),
        *_one("h", "cifar10", ["pgd7", "fgsm", "fgsm_rs"]),
    ],
    "fig2": _four(SIX, "robust"),
    "fig3": _four(RTTS, "robust"),
    "fig4": _one(
        "", "cifar10", ["untrained", "dense_natural", "dense_adversarial"], "feature_distance"
    ),
    "fig5": _one("", "cifar10", ["rst", "finetuned_inherited", "rtt_adversarial"]),
    "fig6": [
        *_one("a", "cifar10", SIX),
        *_one("b", "cifar10", SIX),
        *_one("c", "cifar10", RTTS),
        *_one("d", "cifar10", RTTS),
    ],
    "fig7": _one("", "cifar10", ["rst"], "transfer"),
    "fig8": _one("", "cifar100", ["rst", "rtt_adversarial", "rtt_transferred"]),
    "fig9": [*_one("a", "cifar10", INITS, "natural"), *_one("b", "cifar100", INITS, "natural")],
    "fig10": _four(SIX, "natural"),
    "fig11": _four(RTTS, "natural"),
    "fig12": _four(["rst"], "transfer"),
    "fig13": [
        *_one("a", "cifar10", ["rtt_adversarial"], "transfer"),
        *_one("b", "cifar100", ["rtt_adversarial"], "transfer"),
    ],
    "fig14": [
        *_one("a", "svhn", ["rst", "rtt_transferred"]),
        *_one("b", "cifar10", ["rst", "rtt_transferred"]),
    ],
}


def test_every_figure_of_the_paper_is_there():
    assert list(FIGURES) == [f"fig{i}" for i in range(1, 15)] == list(PANELS)
    assert FIGURES["fig9"].heading.startswith("Figure 9 (supplement's Figure 1): ")
    assert FIGURES["fig14"].heading.startswith("Figure 14 (supplement's Figure 6): ")


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_the_papers_panels_and_series_in_its_order(name):
    found = [
        (p.letter, p.dataset, p.networks, p.measure, [s.name for s in p.series])
        for p in FIGURES[name].panels
    ]
    assert found == PANELS[name]


def test_larger_eps_and_enlargements_are_where_the_paper_has_them():
    assert [panel.eps for panel in FIGURES["fig6"].panels] == [12, 16, 12, 16]
    zoomed = {name for name, figure in FIGURES.items() if any(p.zoom for p in figure.panels)}
    assert zoomed == {"fig2", "fig3", "fig10", "fig11"}
    assert all(p.zoom for name in zoomed for p in FIGURES[name].panels)


@pytest.mark.parametrize("name", FIGURES)
def test_the_papers_matrix_plans_every_series(name, matrix):
    for panel in FIGURES[name].panels:
        assert len(panel.planned(matrix)) == len(panel.series) + len(panel.dense)

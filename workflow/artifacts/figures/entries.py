"""The paper's figures. Adding one is adding an entry here, and no rule.

Sub-figures, series and their order are the paper's. The numbering is the main text's, which
counts on through the appendix; ``alias`` is the supplement's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import StrEnum
from itertools import product

from rst_core.axes import DEFAULTS
from rst_core.vocabulary import Init, Pattern, SearchMethod
from workflow.artifacts.artifact import Figure
from workflow.artifacts.figures import r2s_stress_parts
from workflow.artifacts.figures.panels import Panel, PanelFigure, Series

_NETWORKS = ("resnet18", "wideresnet32")
_DATASETS = ("cifar10", "cifar100")
#: (a) and (b) are the small network on both datasets, (c) and (d) the large one.
_FOUR = list(zip("abcd", product(_NETWORKS, _DATASETS), strict=True))


def _series(experiment: str, *models: str, network: str = "resnet18") -> tuple[Series, ...]:
    """An experiment's models, each by the config's word for it."""
    return tuple(Series(model, (experiment,), model, network) for model in models)


def _dense(*networks: str) -> tuple[Series, ...]:
    return tuple(s for n in networks for s in _series("dense", "dense_adversarial", network=n))


def _rst(*beside: str, network: str = "resnet18", name: str = "rst") -> Series:
    """RSTs with the paper's defaults: one curve, whatever it is compared with.

    They are measured once; ``beside`` names other experiments that ask for the same.
    """
    return Series(name, ("existence", *beside), network=network)


def _tuned(network: str = "resnet18") -> tuple[Series, ...]:
    """RSTs with their own weights and with fine-tuned ones [5.1]."""
    tuned = ("finetuned_inherited", "finetuned_reinitialised")
    rst = _rst("finetuning", network=network)
    return (rst, *_series("finetuning", *tuned, network=network))


def _trained(network: str = "resnet18") -> tuple[Series, ...]:
    """RSTs and tickets drawn from trained networks [5.2]."""
    drawn = ("rtt_natural", "rtt_adversarial")
    return (_rst("rtts", network=network), *_series("rtts", *drawn, network=network))


def _existence(letter: str, dataset: str, measure: str) -> Panel:
    return Panel(
        letter, dataset, tuple(_rst(network=n) for n in _NETWORKS), measure, _dense(*_NETWORKS)
    )


def _by(
    axis: str, values: Iterable[StrEnum], letter: str, dataset: str, measure: str = "robust"
) -> Panel:
    """RSTs by one axis, of which one value is the default; its experiment is called alike."""
    series = tuple(
        replace(
            _rst(f"{axis}s", name=value.value)
            if value == DEFAULTS[axis]
            else Series(value.value, (f"{axis}s",)),
            **{axis: value},  # type: ignore[arg-type]
        )
        for value in values
    )
    return Panel(letter, dataset, series, measure, _dense("resnet18"))


def _compared(series: Callable[[str], tuple[Series, ...]], measure: str) -> tuple[Panel, ...]:
    """Both networks on both datasets, with the low ratios enlarged."""
    return tuple(
        Panel(letter, dataset, series(network), measure, _dense(network), zoom=True)
        for letter, (network, dataset) in _FOUR
    )


def _larger_eps(letter: str, models: tuple[Series, ...], eps: float) -> Panel:
    def at(series: Series) -> Series:
        return replace(series, experiments=("larger_eps",), eps=eps)

    dense = Series("dense_adversarial", ("larger_eps",), "dense_adversarial", eps=eps)
    return Panel(letter, "cifar10", tuple(map(at, models)), dense=(dense,))


def _transfer(
    letter: str, dataset: str, network: str = "resnet18", name: str = "rst", of: str = "transfer"
) -> Panel:
    model = "rst" if name == "rst" else "rtt_adversarial"
    return Panel(letter, dataset, (Series(name, (of,), model, network),), "transfer")


def _figure(name: str, title: str, caption: str, module: str, *panels: Panel) -> PanelFigure:
    series = (s for panel in panels for s in (*panel.series, *panel.dense))
    experiments = tuple(dict.fromkeys(e for s in series for e in s.experiments))
    number = int(name.removeprefix("fig"))
    # The supplement repeats the appendix's figures and counts them from 1.
    alias = f"supplement's Figure {number - 8}" if number > 8 else ""
    return PanelFigure(name, title, caption, experiments, module, panels, alias=alias)


_TUNED = (
    "RSTs, of RSTs fine-tuned from inherited weights (FT_RST_Inherit) and from re-initialised "
    "ones (FT_RST_Reinit), with the low ratios enlarged"
)
_TRAINED = (
    "RSTs and of RTTs drawn from naturally (Natural_RTT) and adversarially (Adv_RTT) trained "
    "networks, with the low ratios enlarged"
)
_ENTRIES = (
    _figure(
        "fig1",
        "Figure 1: RSTs exist",
        "Robust (PGD-20) and natural accuracy over the weight remaining ratio: (a–d) RSTs of two "
        "networks on two datasets [4.2]; robust accuracy of RSTs of ResNet18 by (e, f) "
        "initialisation [4.4], (g) sparsity pattern [4.5] and (h) search method [4.6].",
        "curves",
        _existence("a", "cifar10", "robust"),
        _existence("b", "cifar10", "natural"),
        _existence("c", "cifar100", "robust"),
        _existence("d", "cifar100", "natural"),
        _by("init", Init, "e", "cifar10", "robust"),
        _by("init", Init, "f", "cifar100", "robust"),
        _by("pattern", Pattern, "g", "cifar10"),
        _by("method", SearchMethod, "h", "cifar10"),
    ),
    _figure(
        "fig2",
        "Figure 2: RSTs and fine-tuned RSTs, robust accuracy",
        f"PGD-20 accuracy of {_TUNED} [5.1].",
        "curves",
        *_compared(_tuned, "robust"),
    ),
    _figure(
        "fig3",
        "Figure 3: RSTs and RTTs, robust accuracy",
        f"PGD-20 accuracy of {_TRAINED} [5.2].",
        "curves",
        *_compared(_trained, "robust"),
    ),
    _figure(
        "fig4",
        "Figure 4: distance between features of clean and noisy images",
        "Distance between the last convolution's feature maps on clean and on noisy images, "
        "normalised by the clean maps' norm, over the magnitude of uniform noise [5.2].",
        "features",
        Panel(
            "",
            "cifar10",
            _series("features", "untrained", "dense_natural", "dense_adversarial"),
            "feature_distance",
        ),
    ),
    _figure(
        "fig5",
        "Figure 5: is overparameterisation necessary?",
        "PGD-20 accuracy of RSTs, of RSTs fine-tuned from inherited weights, and of adversarial "
        "RTTs [5.2].",
        "curves",
        Panel("", "cifar10", (*_tuned()[:2], _trained()[2]), dense=_dense("resnet18")),
    ),
    _figure(
        "fig6",
        "Figure 6: stronger perturbations",
        "PGD-20 accuracy where search, training and attack have a larger eps: (a, b) RSTs and "
        "fine-tuned RSTs, (c, d) RSTs and RTTs [5.3]. PGD-7 keeps its step of 2/255, so that it "
        "reaches 14/255 from its start.",
        "curves",
        _larger_eps("a", _tuned(), 12),
        _larger_eps("b", _tuned(), 16),
        _larger_eps("c", _trained(), 12),
        _larger_eps("d", _trained(), 16),
    ),
    _figure(
        "fig7",
        "Figure 7: adversarial transferability between RSTs",
        "Robust accuracy of the RST of each column on images made against the RST of each "
        "row, all from one randomly initialised network [6.1].",
        "heatmaps",
        _transfer("", "cifar10"),
    ),
    _figure(
        "fig8",
        "Figure 8: transferred RTTs on CIFAR-100",
        "PGD-20 accuracy on CIFAR-100 of RSTs, of adversarial RTTs, and of RTTs drawn from a "
        "network trained adversarially on CIFAR-10 [6.3].",
        "curves",
        Panel(
            "",
            "cifar100",
            (
                _rst("transferred_cifar100"),
                *_series("transferred_cifar100", "rtt_adversarial", "rtt_transferred"),
            ),
            dense=_dense("resnet18"),
        ),
    ),
    _figure(
        "fig9",
        "Figure 9: initialisations, natural accuracy",
        "Natural accuracy of RSTs of ResNet18 by initialisation, the companion of Figure 1 "
        "(e, f) [D].",
        "curves",
        _by("init", Init, "a", "cifar10", "natural"),
        _by("init", Init, "b", "cifar100", "natural"),
    ),
    _figure(
        "fig10",
        "Figure 10: RSTs and fine-tuned RSTs, natural accuracy",
        f"Natural accuracy of {_TUNED} [D].",
        "curves",
        *_compared(_tuned, "natural"),
    ),
    _figure(
        "fig11",
        "Figure 11: RSTs and RTTs, natural accuracy",
        f"Natural accuracy of {_TRAINED} [D].",
        "curves",
        *_compared(_trained, "natural"),
    ),
    _figure(
        "fig12",
        "Figure 12: transferability between RSTs, other networks and datasets",
        "Robust accuracy of the RST of each column on images made against the RST of each row [E].",
        "heatmaps",
        *(_transfer(letter, dataset, network) for letter, (network, dataset) in _FOUR),
    ),
    _figure(
        "fig13",
        "Figure 13: transferability between adversarial RTTs",
        "Robust accuracy of the adversarial RTT of each column on images made against the one of "
        "each row [G].",
        "heatmaps",
        _transfer("a", "cifar10", name="rtt_adversarial", of="transfer_rtts"),
        _transfer("b", "cifar100", name="rtt_adversarial", of="transfer_rtts"),
    ),
    _figure(
        "fig14",
        "Figure 14: transferred RTTs on SVHN and CIFAR-10",
        "PGD-20 accuracy of RSTs and of RTTs drawn from a network trained adversarially on another "
        "dataset: (a) on SVHN from CIFAR-10, (b) on CIFAR-10 from SVHN [I].",
        "curves",
        Panel(
            "a",
            "svhn",
            _series("transferred_svhn", "rst", "rtt_transferred"),
            dense=_series("transferred_svhn", "dense_adversarial"),
        ),
        Panel(
            "b",
            "cifar10",
            (_rst("transferred_cifar10"), *_series("transferred_cifar10", "rtt_transferred")),
            dense=_dense("resnet18"),
        ),
    ),
)

#: Not in the paper.
_BEYOND = (
    PanelFigure(
        "fig7_all_steps",
        "Figure 7 with all steps of the attack",
        "Robust accuracy of the RST of each column on images made against the RST of each row: (a) "
        "as in Figure 7, where an attack leaves an image once it is misclassified, (b) where it "
        "takes all of its steps.",
        ("transfer", "transfer_full"),
        "heatmaps",
        (
            _transfer("a", "cifar10"),
            replace(_transfer("b", "cifar10", of="transfer_full"), attack="pgd20_full"),
        ),
    ),
    Figure(
        "r2s_stress",
        "R2S under stronger attacks",
        "Expected accuracy of R2S over its candidate set under the paper's attacks [6.3, "
        "Tables 3 and 5] and stronger ones, and the minimum over all of them, image by image; "
        "beside it the dense under its own attacks.",
        ("r2s_stress_dense", "r2s_stress", "r2s_stress_seeds"),
        "r2s_stress",
        shown=r2s_stress_parts.slices,
    ),
)

FIGURES: dict[str, Figure] = {entry.name: entry for entry in (*_ENTRIES, *_BEYOND)}

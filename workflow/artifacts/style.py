"""One look for all pictures: the same thing has the same colour and marker everywhere."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rst_core.storage import atomic_path

if TYPE_CHECKING:
    import pandas as pd

#: Okabe and Ito's colours, told apart with any colour vision, for what most figures compare.
_BLUE, _ORANGE, _GREEN, _PINK, _RED = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00"
_SKY, _PURPLE, _MAROON = "#56B4E9", "#6A3D9A", "#8B1A1A"
#: Initialisations, patterns and search methods: shades of one hue each, from dark to light.
_OLIVE = ("#4B5320", "#8A9A2B", "#C5C93F")
_TEAL = ("#0B4F54", "#1C9AA0", "#7FD1D3")
_BROWN = ("#5C3317", "#B5763A")


class Look(NamedTuple):
    """How a series is drawn, and what it is called."""

    colour: str
    marker: str
    label: str


#: By the names of series and the roles of networks. One colour is one thing in all figures; the RST
#: that has the paper's defaults is the same blue circle, whatever it is compared with.
LOOKS: dict[str, Look] = {
    "rst": Look(_BLUE, "o", "RST"),
    "resnet18": Look(_BLUE, "o", "RST @ ResNet18"),
    "wideresnet32": Look(_MAROON, "s", "RST @ WideResNet32"),
    "signed_kaiming_constant": Look(_BLUE, "o", "signed Kaiming constant"),
    "kaiming_normal": Look(_OLIVE[0], "^", "Kaiming normal"),
    "xavier_normal": Look(_OLIVE[1], "v", "Xavier normal"),
    "kaiming_uniform": Look(_OLIVE[2], "D", "Kaiming uniform"),
    "element": Look(_BLUE, "o", "element"),
    "row": Look(_TEAL[0], "<", "row"),
    "kernel": Look(_TEAL[1], ">", "kernel"),
    "channel": Look(_TEAL[2], "p", "channel"),
    "pgd7": Look(_BLUE, "o", "PGD-7"),
    "fgsm": Look(_BROWN[0], "h", "FGSM"),
    "fgsm_rs": Look(_BROWN[1], "d", "FGSM-RS"),
    "finetuned_inherited": Look(_ORANGE, "P", "fine-tuned RST, inherited"),
    "finetuned_reinitialised": Look(_PINK, "X", "fine-tuned RST, re-initialised"),
    "rtt_natural": Look(_GREEN, "D", "natural RTT"),
    "rtt_adversarial": Look(_RED, "^", "adversarial RTT"),
    "rtt_transferred": Look(_PURPLE, "v", "transferred RTT"),
    "untrained": Look(_SKY, "s", "random weights"),
    "dense_natural": Look("0.6", "H", "natural dense"),
    "dense_adversarial": Look("0.25", "8", "adversarial dense"),
}

#: Of what has no look of its own, such as an initialisation that the paper does not have.
_PLAIN = Look("black", "*", "")
#: What that is called, where its own word does not say it.
_NAMES = {"released": "scores as released", "weight_fan": "scores by the weight's fan"}


def look(word: str) -> Look:
    """How a series is drawn: as :data:`LOOKS` says, or as a black star called by its own name."""
    return LOOKS.get(word) or _PLAIN._replace(label=_NAMES.get(word, word.replace("_", " ")))


#: Width of the paper's text, in inches: pictures are drawn at the size they are printed at.
TEXT_WIDTH = 5.5
#: The smallest letters, in points.
SMALL = 7.0


def begin() -> None:
    """Set fonts and grids; call before making a figure."""
    plt.style.use(["default", _SETTINGS])


_TEXTS = (
    "font.size", "axes.labelsize", "axes.titlesize", "xtick.labelsize", "ytick.labelsize",
    "legend.fontsize",
)  # fmt: skip
_DARK, _LIGHT = "0.15", "0.8"
# seaborn's white grid; seaborn itself, which loads scipy.stats, half of what a picture costs, is
# left to the heatmaps.
_SETTINGS: dict[str, Any] = dict.fromkeys(_TEXTS, SMALL) | {
    "axes.axisbelow": True,
    "axes.edgecolor": _LIGHT,
    "axes.grid": True,
    "axes.labelcolor": _DARK,
    "axes.labelpad": 2,
    "axes.linewidth": 0.6,
    "axes.titlepad": 5,
    "figure.dpi": 100,
    "grid.color": _LIGHT,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1,
    "lines.markeredgewidth": 0,
    "lines.markersize": 3.5,
    "lines.solid_capstyle": "round",
    "pdf.fonttype": 42,  # letters that can be searched and edited
    "savefig.dpi": 250,
    "text.color": _DARK,
    "xtick.bottom": False,
    "xtick.color": _DARK,
    "xtick.major.pad": 1,
    "ytick.color": _DARK,
    "ytick.left": False,
    "ytick.major.pad": 1,
}


def keep_ratio_axis(ax: Axes, keep_ratios: list[float]) -> None:
    """A logarithmic axis in percent, ticked at its ratios if labels fit, else at round values."""
    lowest, highest = min(keep_ratios), max(keep_ratios)
    margin = 1.15 if highest > lowest else 2.0
    ax.set_xscale("log")
    ax.set_xlim(lowest / margin, highest * margin)
    wide = highest > 30 * lowest
    round_values = (0.01, 0.03, 0.1, 0.3, 0.9) if wide else (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9)
    own = sorted(set(keep_ratios))
    apart = (highest / lowest) ** (1 / 7)
    fit = all(after / before >= apart for before, after in pairwise(own))
    shown = own if fit else [k for k in round_values if lowest <= k <= highest]
    ax.set_xticks(shown, [f"{100 * k:g}" for k in shown])
    ax.minorticks_off()


def curve(ax: Axes, rows: pd.DataFrame, x: str, look: Look) -> None:
    """Means over a column, with gaps where cells are missing, and their band."""
    over, mean, spread = (rows[column].astype(float) for column in (x, "mean", "spread"))
    ax.plot(over, mean, marker=look.marker, color=look.colour, label=look.label)
    ax.fill_between(over, mean - spread, mean + spread, color=look.colour, alpha=0.2, lw=0)


def absent(ax: Axes, text: str) -> None:
    """Say in an empty panel why it is empty."""
    ax.set(xticks=[], yticks=[], facecolor="0.96")
    ax.text(
        0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color="0.4",
        fontsize=SMALL, style="italic",
    )  # fmt: skip


def footnote(figure: Figure, text: str) -> None:
    """A remark under the whole figure, wrapped to its width."""
    figure.supxlabel(wrapped(text, figure), fontsize=SMALL, color="0.35", x=0.01, ha="left")


def wrapped(text: str, figure: Figure) -> str:
    """The text in lines of the smallest letters, as wide as the figure."""
    letters = int(figure.get_size_inches()[0] * 72 / (0.53 * SMALL))
    return fill(keep_together(text), letters, break_on_hyphens=False)


def keep_together(text: str) -> str:
    """The text so that no line ends between a mark or a number and what it belongs to."""
    for part in ("† ", " ± ", " %"):
        text = text.replace(part, part.replace(" ", "\N{NO-BREAK SPACE}"))
    return text


def save(figure: Figure, *paths: Path, tight: bool = True) -> None:
    """Write a picture, each file whole or not at all, and close it; the suffix gives the format.

    ``tight`` fits its size to what is drawn, which costs drawing it once more.
    """
    if (layout := figure.get_layout_engine()) is not None:
        # Once for all files: left to savefig, it would be done twice for each.
        layout.execute(figure)
        figure.set_layout_engine("none")
    for path in paths:
        with atomic_path(path) as temporary:
            figure.savefig(
                temporary, format=path.suffix[1:], bbox_inches="tight" if tight else None
            )
    plt.close(figure)

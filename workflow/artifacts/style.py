"""One look for all pictures: the same thing has the same colour and marker everywhere."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rst_core.files import atomic_path

#: Okabe and Ito's colours, told apart with any colour vision.
_BLUE, _ORANGE, _GREEN, _PINK, _SKY, _RED = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00",
)  # fmt: skip

#: Series to (colour, marker), by role or model kind.
LOOKS: dict[str, tuple[str, str]] = {
    "resnet18": (_BLUE, "o"),
    "wideresnet32": (_RED, "s"),
    "rst": (_BLUE, "o"),
    "finetuned_inherited": (_ORANGE, "^"),
    "finetuned_reinitialised": (_GREEN, "v"),
    "rtt_natural": (_SKY, "D"),
    "rtt_adversarial": (_RED, "s"),
    "rtt_transferred": (_PINK, "P"),
}

#: Width of two columns of a paper, in inches.
FULL_WIDTH = 7.0


def begin() -> None:
    """Set fonts and grids; call before making a figure."""
    sns.set_theme(context="paper", style="whitegrid", font_scale=0.9)
    plt.rcParams.update({"figure.dpi": 100, "savefig.dpi": 200, "axes.titlesize": 9})


def keep_ratio_axis(ax: Axes, keep_ratios: list[float]) -> None:
    """A logarithmic axis in percent, ticked at round values inside the range."""
    ax.set_xscale("log")
    shown = [k for k in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.9) if min(keep_ratios) <= k]
    shown = [k for k in shown if k <= max(keep_ratios)]
    ax.set_xticks(shown, [f"{100 * k:g}" for k in shown])
    ax.minorticks_off()
    ax.set_xlabel("weight remaining ratio (%)")


def footnote(figure: Figure, text: str) -> None:
    """A remark under the whole figure, wrapped to its width."""
    size = 6.5
    characters = int(figure.get_size_inches()[0] * 72 / (0.5 * size))
    figure.supxlabel(fill(text, characters), fontsize=size, color="0.35", x=0.01, ha="left")


def save(figure: Figure, path: Path, **options: Any) -> None:
    """Write a picture whole or not at all; the suffix gives the format."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:], bbox_inches="tight", **options)
    plt.close(figure)

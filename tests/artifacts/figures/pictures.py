"""What tests of figures share: which there are, smaller matrices, and a reader of pictures."""

import re

from workflow.artifacts.figures.panels import PanelFigure
from workflow.artifacts.registry import FIGURES as ALL
from workflow.matrix import Matrix

#: How the config names things; the paper's own FT_RST_Inherit has capital letters.
KEY = re.compile(r"[a-z0-9]_[a-z0-9]")
KEPT = [0.01, 0.03, 0.2, 0.3, 0.9]
BOTH = ["resnet18", "wideresnet32"]
FIGURES = {name: figure for name, figure in ALL.items() if isinstance(figure, PanelFigure)}
CURVES = [name for name, figure in FIGURES.items() if figure.module == "curves"]


def narrowed(matrix, **changes):
    """The matrix with other values on some axes of some experiments."""
    experiments = dict(matrix.config.experiments)
    for name, axes in changes.items():
        experiments[name] = experiments[name].model_copy(update=axes)
    return Matrix(matrix.config.model_copy(update={"experiments": experiments}))


def note(picture):
    """The line under a picture, in one line."""
    return " ".join(picture.get_supxlabel().split())


def named(axes):
    """Axes of a picture by their titles; legends' have none."""
    return {ax.get_title(): ax for ax in axes if ax.get_title()}


def axes_of(panel, picture):
    """The axes of a panel, and of its enlargement."""
    start = f"({panel.letter})" if panel.letter else ""
    return [ax for title, ax in named(picture.axes).items() if title.startswith(start)]


#: What each series is called in legends; the paper's words [4.1, 4.4 to 4.6, 5.1, 5.2, 6.3].
WORDS = {
    "rst": "RST",
    "resnet18": "RST @ ResNet18",
    "wideresnet32": "RST @ WideResNet32",
    "signed_kaiming_constant": "signed Kaiming constant",
    "kaiming_normal": "Kaiming normal",
    "xavier_normal": "Xavier normal",
    "kaiming_uniform": "Kaiming uniform",
    "element": "element",
    "row": "row",
    "kernel": "kernel",
    "channel": "channel",
    "pgd7": "PGD-7",
    "fgsm": "FGSM",
    "fgsm_rs": "FGSM-RS",
    "finetuned_inherited": "fine-tuned RST, inherited",
    "finetuned_reinitialised": "fine-tuned RST, re-initialised",
    "rtt_natural": "natural RTT",
    "rtt_adversarial": "adversarial RTT",
    "rtt_transferred": "transferred RTT",
    "untrained": "random weights",
    "dense_natural": "natural dense",
    "dense_adversarial": "adversarial dense",
}

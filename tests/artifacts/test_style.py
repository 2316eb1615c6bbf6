"""One look for one thing."""

from workflow.artifacts import style
from workflow.artifacts.figures import r2s_stress


def test_a_colour_has_one_meaning():
    default = {"rst", "resnet18", "signed_kaiming_constant", "element", "pgd7"}
    colours = {"RST" if name in default else name: c for name, (c, _, _) in style.LOOKS.items()}
    attacks = {colour for colour, _ in r2s_stress._LOOKS.values()}
    assert len({*colours.values(), *attacks}) == len(colours) + len(attacks)

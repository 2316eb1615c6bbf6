"""The paper's figures. Adding one is adding an entry here, and no rule."""

from workflow.artifacts.artifact import Artifact

FIGURES = {
    a.name: a
    for a in (
        Artifact(
            "fig1",
            "Figure 1 (a–d): RSTs exist",
            "Robust (PGD-20) and natural accuracy of RSTs over the weight remaining ratio [4.2].",
            ("dense", "existence"),
            "existence",
        ),
        Artifact(
            "fig7",
            "Figure 7: adversarial transferability between RSTs",
            "Robust accuracy of the RST of each column on images made against the RST of each "
            "row, all from one randomly initialised network [6.1].",
            ("transfer",),
            "transferability",
        ),
    )
}

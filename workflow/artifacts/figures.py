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
        Artifact(
            "r2s_stress",
            "R2S before a harder judge",
            "Expected accuracy of R2S over its candidate set under the paper's attacks [6.3, "
            "Tables 3 and 5] and harder ones, and the minimum over all of them, image by image.",
            ("dense", "r2s_stress", "r2s_stress_seeds"),
            "r2s_stress",
        ),
    )
}

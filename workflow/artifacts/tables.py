"""The paper's tables. Adding one is adding an entry here, and no rule."""

from workflow.artifacts.artifact import Artifact

TABLES = {
    a.name: a
    for a in (
        Artifact(
            "table3",
            "Table 3: R2S under PGD-20",
            "Natural and PGD-20 accuracy of adversarially trained dense networks and of R2S, "
            "whose attacker and defender each draw a ticket uniformly [6.3].",
            ("dense", "r2s"),
            "r2s",
        ),
    )
}

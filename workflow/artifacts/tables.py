"""The paper's tables. Adding one is adding an entry here, and no rule.

Numbers are the main text's, continued through the appendix; ``alias`` is the supplement's.
"""

from workflow.artifacts.table import COUNTS, Block, Table

_ALL = ("evaluate",)
_COUNTED = tuple(f"dataset/{count}" for count in COUNTS)
_BOTH = ("natural", "robust")
_DENSE = Block("dense", ("dense",), ("natural", "evaluate"))

_TABLES = (
    Table(
        "table1",
        "Table 1: RSTs on ImageNet",
        "RSTs in ResNet50 and ResNet101 beside the adversarially trained ResNet18 [4.3]. "
        "Parameters are the weights that remain; the paper's counts are those of networks with "
        "ten classes, ours of the networks that were measured.",
        blocks=tuple(
            Block(experiment, (row,), ("parameters_m", "natural", "evaluate"), vary=("eps",))
            for experiment, row in (
                ("imagenet_dense", "dense"),
                ("imagenet_resnet50", "rst"),
                ("imagenet_resnet101", "rst"),
            )
        ),
        stub=("series", "ratio", "trained_eps"),
        heads=("accuracy",),
        order=("trained_eps",),
        incomparable=("parameters_m",),
    ),
    Table(
        "table2",
        "Table 2: RSTs under L2-PGD",
        "Accuracy under L2-PGD-20 of RSTs and of dense networks that were searched and trained "
        "against L-infinity PGD [5.4].",
        blocks=(Block("l2", ("dense", "rst"), _ALL),),
        stub=("model",),
        heads=("network", "eps"),
    ),
    Table(
        "table3",
        "Table 3: R2S under PGD-20",
        "Natural and PGD-20 accuracy of adversarially trained dense networks and of R2S, "
        "whose attacker and defender each draw a ticket uniformly [6.3].",
        blocks=(Block("dense", ("dense",), _BOTH), Block("r2s", ("r2s",), _BOTH)),
        stub=("series",),
        heads=("dataset", "measure"),
    ),
    Table(
        "table4",
        "Table 4: R2S under Auto-Attack and CW-Inf",
        "Accuracy of adversarially trained dense networks, and of R2S when attacker and "
        "defender each draw a ticket uniformly [6.3].",
        blocks=(
            Block("attacks", ("dense",), _ALL, attacks=("auto_attack", "cw_inf")),
            Block("r2s_attacks", ("r2s",), ("transfer",)),
        ),
        stub=("series",),
        heads=("attack", "eps"),
    ),
    Table(
        "table5",
        "Table 5: R2S under adaptive attacks",
        "Accuracy of R2S, as the mean over the candidate set, under attacks that see all of it: "
        "EOT averages the gradients of all members' losses, Ensemble attacks their averaged "
        "logits. Above, the dense networks under PGD-20 [6.3].",
        blocks=(
            Block("dense", ("dense",), _ALL),
            Block("r2s_adaptive", ("r2s",), ("adaptive",)),
        ),
        stub=("method",),
        heads=("dataset", "network"),
    ),
    Table(
        "table6",
        "Table 6: more attacks",
        "Accuracy of RSTs and of adversarially trained dense networks under other attacks than "
        "the one they were searched and trained with [5.5, C].",
        blocks=(Block("attacks", ("dense", "rst"), _ALL),),
        stub=("series", "percent"),
        heads=("attack", "eps"),
        alias="supplement's Table 1",
    ),
    Table(
        "table7",
        "Table 7: attacks transferred to RSTs",
        "PGD-20 accuracy on images made against a naturally and an adversarially trained dense, "
        "and against the RST of the same ratio and another seed, averaged over the other "
        "seeds [E].",
        module="transfer_sources",
        blocks=(
            Block("transfer_dense", ("dense_natural", "dense"), ("transfer",)),
            Block("transfer_seeds", ("rst",), ("transfer",)),
        ),
        alias="supplement's Table 2",
    ),
    Table(
        "table8",
        "Table 8: R2S with other candidate sets",
        "Natural and PGD-20 accuracy of R2S over several candidate sets, and of adversarially "
        "trained dense networks [F].",
        blocks=(_DENSE, Block("r2s_sets", ("r2s_sets",), ("natural", "transfer"))),
        stub=("candidates",),
        heads=("dataset", "network", "measure"),
        alias="supplement's Table 3",
    ),
    Table(
        "table9",
        "Table 9: R2S on adversarial RTTs",
        "Natural and PGD-20 accuracy of R2S over adversarial RTTs, and of the adversarially "
        "trained dense ResNet18 [H].",
        blocks=(
            Block("dense", ("dense",), ("natural", "evaluate"), {"networks": ("resnet18",)}),
            Block("transfer_rtts", ("rtt_adversarial_r2s_sets",), ("natural", "transfer")),
        ),
        stub=("candidates",),
        heads=("dataset", "measure"),
        alias="supplement's Table 4",
    ),
    Table(
        "sec47",
        "Section 4.7: other adversarial lottery tickets",
        "PGD-20 accuracy of RSTs of WideResNet32 beside the adversarial lottery tickets of the "
        "paper's reference [59], which were not measured here [4.7].",
        blocks=(
            Block(
                "existence",
                ("rst",),
                ("sparsity_percent", "evaluate"),
                {
                    "networks": ("wideresnet32",),
                    "datasets": ("cifar10",),
                    "keep_ratios": (0.1, 0.2),
                },
            ),
        ),
        stub=("model",),
        heads=("accuracy",),
    ),
    Table(
        "natural",
        "Natural accuracy of the networks in Tables 2 to 7",
        "What the paper leaves out where it shows robust accuracy only. Under R2S, the mean over "
        "the candidate set.",
        blocks=(
            Block("transfer_dense", ("dense_natural",), ("natural",)),
            Block("dense", ("dense",), ("natural",)),
            Block("existence", ("rst",), ("natural",)),
            Block("r2s", ("r2s",), ("natural",)),
        ),
        stub=("model",),
        heads=("dataset", "network"),
    ),
    Table(
        "natural_figures",
        "Natural accuracy of the networks in Figures 1 (g, h), 6, 8 and 14",
        "What the paper leaves out where it shows robust accuracy only, by weight remaining "
        "ratio; Figures 9 to 11 show it for Figures 1 (e, f), 2 and 3.",
        blocks=(
            # The other pattern and the other method are the plain RSTs of the last blocks.
            Block(
                "patterns",
                ("rst",),
                ("natural",),
                {"patterns": ("row", "kernel", "channel")},
                vary=("patterns",),
            ),
            Block(
                "methods",
                ("rst",),
                ("natural",),
                {"methods": ("fgsm", "fgsm_rs")},
                vary=("methods",),
            ),
            Block(
                "larger_eps",
                (
                    "rst",
                    "finetuned_inherited",
                    "finetuned_reinitialised",
                    "rtt_natural",
                    "rtt_adversarial",
                ),
                ("natural",),
                vary=("eps",),
            ),
            Block("transferred_cifar10", ("rst", "rtt_transferred"), ("natural",)),
            Block(
                "transferred_cifar100", ("rst", "rtt_adversarial", "rtt_transferred"), ("natural",)
            ),
            Block("transferred_svhn", ("rst", "rtt_transferred"), ("natural",)),
        ),
        stub=("dataset", "variant"),
        heads=("percent",),
    ),
    Table(
        "parameters",
        "Weights of the networks, and those that tickets keep",
        "Prunable weights, which is all that these networks have: neither layers nor batch norms "
        "have other parameters. The paper's counts are from its Table 1, for networks with ten "
        "classes and with affine batch norms.",
        blocks=tuple(
            Block(experiment, (row,), _COUNTED, only)
            for experiment, row, only in (
                ("dense", "dense", {"datasets": ("cifar10",)}),
                ("existence", "rst", {"datasets": ("cifar10",)}),
                ("imagenet_dense", "dense", {}),
                ("imagenet_resnet50", "rst", {}),
                ("imagenet_resnet101", "rst", {}),
            )
        ),
        stub=("dataset", "network", "percent"),
        heads=("accuracy",),
        order=("network",),
        incomparable=("parameters_m",),
    ),
)

TABLES = {table.name: table for table in _TABLES}

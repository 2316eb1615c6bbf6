"""The paper's tables. Adding one is adding an entry here, and no rule.

Numbers are the main text's, continued through the appendix; ``alias`` is the supplement's.
"""

from workflow.artifacts.tables.table import COUNTS, Block, Table

_ALL = ("evaluate",)
_COUNTED = tuple(f"dataset/{count}" for count in COUNTS)
_BOTH = ("natural", "robust")
_SMALL = {"networks": ("resnet18",), "datasets": ("cifar10",)}
_DENSE = Block("dense", ("dense",), ("natural", "evaluate"))
_TUNED_AND_TRAINED = (
    "rst", "finetuned_inherited", "finetuned_reinitialised", "rtt_natural", "rtt_adversarial",
)  # fmt: skip


def _natural(experiment: str, *rows: str, **only: tuple[str, ...]) -> Block:
    """Natural accuracies; a row's key names the axes that are narrowed."""
    return Block(experiment, rows, ("natural",), only, vary=tuple(only))


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
        headers=("accuracy",),
        order=("trained_eps",),
        incomparable=("parameters_m",),
    ),
    Table(
        "table2",
        "Table 2: RSTs under L2-PGD",
        "Accuracy under L2-PGD-20 of RSTs and of dense networks that were searched and trained "
        "against L-infinity PGD; ε is an L2 distance of images in [0, 1] [5.4]. The paper does not "
        "publish its step; ours is 2.5 ε/20, and beside it stands the same attack with steps of "
        "15/255 and 2/255.",
        blocks=(Block("l2", ("dense", "rst"), _ALL), Block("l2_steps", ("dense", "rst"), _ALL)),
        stub=("model",),
        headers=("network", "attack", "eps"),
    ),
    Table(
        "table3",
        "Table 3: R2S under PGD-20",
        "Natural and PGD-20 accuracy of adversarially trained dense networks and of R2S, "
        "whose attacker and defender each draw a ticket uniformly [6.3].",
        blocks=(Block("dense", ("dense",), _BOTH), Block("r2s", ("r2s",), _BOTH)),
        stub=("series",),
        headers=("dataset", "measure"),
    ),
    Table(
        "table4",
        "Table 4: R2S under Auto-Attack and CW-Inf",
        "Accuracy of adversarially trained dense networks, and of R2S when attacker and "
        "defender each draw a ticket uniformly [6.3]. An image on which Auto-Attack fails is "
        "evaluated on other tickets as it is, without an attack.",
        blocks=(
            Block("attacks", ("dense",), _ALL, attacks=("auto_attack", "cw_inf")),
            Block("r2s_attacks", ("r2s",), ("transfer",)),
        ),
        stub=("series",),
        headers=("attack", "eps"),
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
        headers=("dataset", "network"),
    ),
    Table(
        "table6",
        "Table 6: Auto-Attack, CW and Bandits",
        "Accuracy of RSTs and of adversarially trained dense networks under other attacks than "
        "the one they were searched and trained with [5.5, C].",
        blocks=(Block("attacks", ("dense", "rst"), _ALL),),
        stub=("series", "percent"),
        headers=("attack", "eps"),
        alias="supplement's Table 1",
    ),
    Table(
        "tiling",
        "Table 6's Bandits, with and without tiles",
        "Accuracy under Bandits with its tile prior, as in Table 6, and without it, which is the "
        "original command line's default [5.5, B].",
        blocks=(Block("tiling", ("dense", "rst"), _ALL),),
        stub=("series", "percent"),
        headers=("attack", "eps"),
    ),
    Table(
        "choices",
        "The released code's other choices",
        "Structured patterns whose initial scores are drawn as in the released code (our default) "
        "or by the weight's fan [4.5], and the released code's post-activation ResNet18 beside "
        "the PreActResNet18 of the text.",
        blocks=(
            Block("dense", ("dense",), _BOTH, _SMALL),
            Block("existence", ("rst",), _BOTH, {**_SMALL, "keep_ratios": (0.2,)}),
            Block("released_network", ("dense", "rst"), _BOTH),
            Block("score_inits", ("rst",), _BOTH, vary=("patterns", "score_inits")),
        ),
        stub=("network", "variant", "percent"),
        headers=("dataset", "accuracy"),
    ),
    Table(
        "table7",
        "Table 7: attacks transferred to RSTs",
        "PGD-20 accuracy on images made against a naturally and an adversarially trained dense, "
        "and against the RST of the same ratio and another seed, averaged over the other "
        "seeds [E].",
        module="transfer_sources",
        blocks=(
            Block("transfer_dense", ("dense_natural", "dense"), ("transfer",), _SMALL),
            Block("transfer_seeds", ("rst",), ("transfer",), _SMALL),
        ),
        stub=("Attack Source",),
        alias="supplement's Table 2",
    ),
    Table(
        "table8",
        "Table 8: R2S with other candidate sets",
        "Natural and PGD-20 accuracy of R2S over several candidate sets, and of adversarially "
        "trained dense networks [F].",
        blocks=(_DENSE, Block("r2s_sets", ("r2s_sets",), ("natural", "transfer"))),
        stub=("candidates",),
        headers=("dataset", "network", "measure"),
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
        headers=("dataset", "measure"),
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
                {**_SMALL, "networks": ("wideresnet32",), "keep_ratios": (0.1, 0.2)},
            ),
        ),
        stub=("model",),
        headers=("accuracy",),
    ),
    Table(
        "natural",
        "Natural accuracy of the networks in Tables 2 to 7",
        "What the paper leaves out where it shows robust accuracy only. Under R2S, the mean over "
        "the candidate set.",
        blocks=(
            _natural("transfer_dense", "dense_natural"),
            _natural("dense", "dense"),
            _natural("existence", "rst"),
            _natural("r2s", "r2s"),
        ),
        stub=("model",),
        headers=("dataset", "network"),
    ),
    Table(
        "natural_figures",
        "Natural accuracy of the networks in Figures 1 (g, h), 6, 8 and 14",
        "What the paper leaves out where it shows robust accuracy only, by weight remaining "
        "ratio; Figures 9 to 11 show it for Figures 1 (e, f), 2 and 3.",
        blocks=(
            # The other pattern and the other method are the plain RSTs of the last blocks.
            _natural("patterns", "rst", patterns=("row", "kernel", "channel")),
            _natural("methods", "rst", methods=("fgsm", "fgsm_rs")),
            Block("larger_eps", _TUNED_AND_TRAINED, ("natural",), vary=("eps",)),
            _natural("transferred_cifar10", "rst", "rtt_transferred"),
            _natural("transferred_cifar100", "rst", "rtt_adversarial", "rtt_transferred"),
            _natural("transferred_svhn", "rst", "rtt_transferred"),
        ),
        stub=("dataset", "variant"),
        headers=("percent",),
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
        headers=("accuracy",),
        order=("network",),
        incomparable=("parameters_m",),
    ),
)

TABLES = {table.name: table for table in _TABLES}

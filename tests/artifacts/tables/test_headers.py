"""What rows and columns are called."""

import pytest

from workflow.artifacts.tables.headers import MODELS, Labels
from workflow.artifacts.tables.keys import ColumnKey, RowKey

#: A row's or column's key, a header, and what stands under it; in the paper's words
#: [3.2, 4.3 to 4.6, 5.1, 5.2, 5.5, 6.2, 6.3] where they are the paper's things.
WORDS = [
    ("adversarial_lottery_ticket", "model", "Adversarial lottery ticket [59]"),
    ("dense_natural", "model", "Dense, naturally trained"),
    ("dense", "model", "Dense"),
    ("rst", "model", "RST"),
    ("rst@0.05", "model", "RST@5%"),
    ("finetuned_inherited", "model", "Fine-tuned RST, inherited"),
    ("finetuned_reinitialised", "model", "Fine-tuned RST, re-initialised"),
    ("rtt_natural", "model", "Natural RTT"),
    ("rtt_adversarial", "model", "Adversarial RTT"),
    ("rtt_transferred", "model", "Transferred RTT"),
    ("r2s", "model", "R2S"),
    ("rtt_adversarial_r2s", "model", "R2S on adversarial RTTs"),
    ("dense", "series", "ResNet18 (Dense)"),
    ("rst", "series", "RST @ ResNet18"),
    ("rst@0.2/fgsm", "variant", "RST, FGSM"),
    ("rst@0.2/fgsm_rs", "variant", "RST, FGSM-RS"),
    ("rst@0.2/pgd7", "variant", "RST, PGD-7"),
    ("rst@0.2/row/released", "variant", "RST, row, scores as released"),
    ("rst@0.2/channel/weight_fan", "variant", "RST, channel, scores by the weight's fan"),
    ("rst@0.2/eps12", "variant", "RST, ε = 12/255"),
    ("rst@0.2/eps4", "trained_eps", "4/255"),
    ("rst@0.05", "ratio", "0.05"),
    ("rst@0.05", "percent", "5%"),
    ("dense", "percent", "100%"),
    ("r2s@0.03+0.1", "candidates", "3%, 10%"),
    ("dense", "candidates", "Dense"),
    ("cifar10/natural", "measure", "Natural Acc (%)"),
    ("cifar10/robust", "measure", "PGD-20 Acc (%)"),
    ("cifar10/robust", "accuracy", "Robust Acc (%)"),
    ("cifar10/natural", "accuracy", "Natural Acc (%)"),
    ("cifar10/cw_inf-eps8", "accuracy", "Robust Acc (%)"),
    ("cifar10/cw_inf-eps8", "measure", "CW-Inf Acc (%)"),
    ("cifar10/cw_inf-eps8", "attack", "CW-Inf"),
    ("cifar10/auto_attack-eps12", "eps", "ε = 12/255"),
    ("cifar10/pgd20_l2-eps1.71", "eps", "ε = 1.71"),
    ("cifar10/cw_l2", "eps", "–"),
    ("cifar100/robust", "dataset", "CIFAR-100"),
    ("parameters_m", "accuracy", "# Parameter (M)"),
    ("network_parameters_m", "measure", "# of Network (M)"),
    ("sparsity_percent", "measure", "Sparsity (%)"),
]


@pytest.mark.parametrize(("key", "header", "words"), WORDS)
def test_rows_and_columns_are_called_what_they_are(key, header, words, paper):
    of_column = "/" in key.partition("@")[0] or key.endswith(("_m", "_percent"))
    row = RowKey.parse("resnet18/rst" if of_column else f"resnet18/{key}")
    column = ColumnKey.parse(key if of_column else "cifar10/robust")
    labels = Labels(row, column, paper, (), frozenset({"resnet18"}))
    assert labels.under((header,))[0] == (words,)


def test_every_model_of_tables_has_words():
    assert set(MODELS) == {key for key, header, _ in WORDS if header == "model"} - {"rst@0.05"}

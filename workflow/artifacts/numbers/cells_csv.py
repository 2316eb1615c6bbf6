"""results/cells.csv: every measured number, a row each, with every axis as a column."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from rst_core.storage import atomic_path, write_text
from workflow.artifacts.numbers.frame import read_cells

#: What each column says, in their order. An empty field: the number has no such thing.
MEANINGS: dict[str, str] = {
    "cell": "path of the cell below the folder of cells; rows of one cell share it",
    "kind": "Evaluation, TransferRow or FeatureDistance",
    "dataset": "name of the judged model's dataset in the config",
    "network": "name of its network in the config",
    "init": "how its weights were drawn",
    "seed": "its seed",
    "model": "what it is: untrained, dense_natural, rst, rtt_natural, finetuned_inherited, …",
    "keep_ratio": "fraction of every layer's weights that its ticket keeps",
    "pattern": "granularity of its mask",
    "score_init": "how the search drew the scores of a structured pattern",
    "method": "inner maximisation of its search or training",
    "trained_eps": "eps of that, in 1/255",
    "pretrained_on": "dataset of the dense under a transferred RTT",
    "selection": "which epoch of the attacked model: best_val, last or best_test",
    "attack": "name of the attack in the config",
    "attack_method": "its algorithm",
    "attack_norm": "norm of its perturbation: linf or l2",
    "attack_eps": "its size: in 1/255 (linf), on [0, 1] images (l2)",
    "targets": "group of models that a transfer row is judged by",
    "source_model": "what the attack was made on, in the words of 'model'",
    "source_keep_ratio": "the keep ratio of that",
    "source_seed": "the seed of that",
    "candidates": "keep ratios of the candidate set that was attacked, joined by +",
    "measure": "natural (accuracy on clean images), robust (on adversarial ones) or "
    "feature_distance",
    "value": "the number: percent for accuracies, a ratio to the clean norm for distances",
    "correct": "images that are classified correctly",
    "total": "images measured",
    "deviation": "standard deviation of a feature distance over images",
    "noise_eps": "magnitude of a feature distance's noise, in 1/255",
    "parameters": "prunable weights of the judged model",
    "parameters_kept": "those that its mask keeps",
    "flags": "codes of why a robust accuracy deserves suspicion, joined by ; (suspicion.py)",
}


def write_cells_csv(cells: Iterable[Path], path: Path) -> None:
    """Write the numbers of cell files, without each image's outcome, which those hold.

    Where pandas can write Parquet, the same is beside it, with that ending.

    Raises:
        ValueError: naming a file that cannot be read.
    """
    frame = read_cells(cells)[list(MEANINGS)]
    write_text(path, frame.to_csv(index=False))
    parquet = path.with_suffix(".parquet")
    parquet.unlink(missing_ok=True)
    with suppress(ImportError), atomic_path(parquet) as part:  # without pyarrow there is none
        frame.to_parquet(part, index=False)

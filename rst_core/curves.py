"""Training curves: ``metrics.jsonl`` beside a model's files, a line an epoch.

A model file's provenance has the digest of the curve of its training, so that a curve that is
damaged, or of another training, is never taken for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rst_core.document import from_document
from rst_core.storage import (
    IMPOSSIBLE,
    MODEL,
    FileError,
    StaleFileError,
    file_digest,
    read_header,
    write_text,
)
from rst_core.vocabulary import Selection

#: Name of the file, beside a model's selections and, until it is finished, its checkpoint.
METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch of a training; accuracies in percent.

    Attributes:
        epoch: which, from 1.
        lr: its learning rate.
        train_loss: mean over the images as they were trained on, adversarial unless natural.
        train_accuracy: on the same.
        validation_natural: on held-out training images.
        validation_robust: on these under PGD at the eps of training; None if trained naturally.
        test_natural: on test images, where the epoch is chosen on them.
        test_robust: the same under PGD.
        seconds: that it took.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    validation_natural: float
    validation_robust: float | None = None
    test_natural: float | None = None
    test_robust: float | None = None
    seconds: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            percent = name.endswith(("accuracy", "natural", "robust")) and value is not None
            if percent and not 0 <= value <= 100:
                raise ValueError(f"{name} is {value!r}; allowed is 0 to 100")


def write_curve(path: Path, lines: Sequence[Mapping[str, Any]]) -> None:
    """Write a training's metrics as JSONL, whole or not at all."""
    write_text(path, "".join(json.dumps(line) + "\n" for line in lines))


def read_curve(path: Path) -> list[Epoch]:
    """The epochs in a file of a curve; a last line that has no end yet is left out.

    Raises:
        FileNotFoundError: if there is none.
        FileError: if it holds anything else.
    """
    text = path.read_bytes().rpartition(b"\n")[0]
    try:
        lines = enumerate(text.decode("utf-8").splitlines(), 1)
        curve = [from_document(Epoch, json.loads(line), f"line {n}") for n, line in lines]
        if [one.epoch for one in curve] != list(range(1, len(curve) + 1)):
            raise ValueError("its epochs do not count from 1")
    except IMPOSSIBLE as error:
        raise FileError(f"{path} is damaged: {error}") from None
    return curve


def curve_path(model: Path) -> Path:
    """Where the curve of the training that made a model file is."""
    return model.parents[1] / METRICS


def curve_of(model: Path) -> list[Epoch]:
    """The curve of the training that made a model file.

    Raises:
        FileNotFoundError: if one of the two is missing.
        FileError: if the curve is damaged or another training's, or the model has none.
    """
    path, made = curve_path(model), read_header(model, MODEL)["provenance"]
    if "curve" not in made:
        raise FileError(
            f"{model} has no training curve: it was imported, or made before curves were recorded"
        )
    if file_digest(path) != made["curve"]:
        raise StaleFileError(f"{path} is damaged, or not the curve with which {model} was trained")
    return read_curve(path)


def criterion(selection: Selection, *, robust: bool) -> str:
    """The accuracy of :class:`Epoch` by which a selection chooses: under attack if trained so."""
    split = "test" if selection is Selection.BEST_TEST else "validation"
    return f"{split}_{'robust' if robust else 'natural'}"


def chosen(curve: Sequence[Epoch], selection: Selection) -> Epoch:
    """The epoch whose model a selection keeps: the first of the best by what was trained for."""
    if selection is Selection.LAST:
        return curve[-1]
    best_by = criterion(selection, robust=curve[0].validation_robust is not None)
    return max(curve, key=lambda epoch: getattr(epoch, best_by))

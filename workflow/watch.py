"""``rst watch``: the curve of a training in the terminal, also of one under way."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from rst_core.curves import METRICS, Epoch, curve_of, read_curve
from rst_core.identity import TrainingCell, split_cell_path
from rst_core.job.paths import checkpoint_path
from rst_core.storage import CHECKPOINT, read_header
from workflow.plan.states import unfinished
from workflow.text import duration

#: Seconds between two frames.
EVERY = 2.0
_CLEAR = "\x1b[H\x1b[J"
_LABEL = 9


def watch(
    path: Path, out: TextIO | None = None, pause: Callable[[float], None] = time.sleep
) -> str:
    """The text of a model's curve; on a terminal it is shown anew until the model is finished.

    Raises:
        ValueError: if the path names no trained model, nothing is known of it, or its curve is
            damaged or another training's.
    """
    out = out or sys.stdout
    with suppress(KeyboardInterrupt):
        while True:
            text, finished = frame(path, *shutil.get_terminal_size())
            if finished or not out.isatty():
                return _CLEAR + text if out.isatty() else text
            print(_CLEAR + text, end="", file=out, flush=True)
            pause(EVERY)
    return ""


def frame(path: Path, columns: int, lines: int) -> tuple[str, bool]:
    """The text for a terminal of that size, and whether the model is finished."""
    root, cell = split_cell_path(path.as_posix())
    if not isinstance(cell, TrainingCell):
        raise ValueError(f"{path} is no model; allowed is a file that rst search or train makes")
    checkpoint, model = checkpoint_path(Path(root), cell), Path(root, cell.path)
    job = unfinished(Path(root)).get(checkpoint.parent)
    if model.is_file() and not checkpoint.is_file() and not (job and job.running):
        curve = curve_of(model)
        return _text(cell, "finished", curve, len(curve), columns, lines), True
    if job is None:
        raise ValueError(f"{path} does not exist, and no job has begun it")
    progress, curve = "no epoch is finished", []
    with suppress(FileNotFoundError):
        progress = f"saved {read_header(checkpoint, CHECKPOINT)['progress']}"
        curve = read_curve(checkpoint.with_name(METRICS))
    state = f"running: {job.holder or 'a job'}" if job.running else "not running"
    of = re.search(r"epoch \d+ of (\d+)", progress)
    epochs = int(of[1]) if of else len(curve)
    return _text(cell, f"{state}\n{progress}", curve, epochs, columns, lines), False


def _text(
    cell: TrainingCell, state: str, curve: Sequence[Epoch], epochs: int, columns: int, lines: int
) -> str:
    head = [cell.model.path, state]
    if not curve:
        return "\n".join([*head, ""])
    mean = sum(one.seconds for one in curve) / len(curve)
    head[-1] += f"; {duration(mean)} an epoch"
    if epochs > len(curve):
        head[-1] += f", {duration((epochs - len(curve)) * mean)} left"
    last, width = curve[-1], max(20, columns - _LABEL - 1)
    high = max(2, (min(lines, 30) - 10) // 4)  # of the lower panels; the first has twice that
    accuracies: Mapping[str, list[float | None]] = {
        "*": [one.validation_natural for one in curve],
        "o": [one.validation_robust for one in curve],
    }
    robust = "" if last.validation_robust is None else f", robust {last.validation_robust:.1f}"
    return "\n".join([
        *head,
        f"accuracy on held-out training images (%): * natural{', o robust' if robust else ''}",
        *chart(accuracies, epochs, width, 2 * high),
        "training loss",
        *chart({"*": [one.train_loss for one in curve]}, epochs, width, high),
        "learning rate",
        *chart({"*": [one.lr for one in curve]}, epochs, width, high),
        f"{'':{_LABEL}}1{f'epoch {epochs}':>{width - 1}}",
        f"epoch {last.epoch}: natural {last.validation_natural:.1f}{robust}, "
        f"loss {last.train_loss:.3f}, learning rate {last.lr:.4g}",
        "",
    ])  # fmt: skip


def chart(
    series: Mapping[str, Sequence[float | None]], epochs: int, width: int, height: int
) -> list[str]:
    """Series over epochs as lines of text, each drawn with its character.

    Args:
        series: by character, a value an epoch; None is not drawn.
        epochs: that fill the width; of several in one column the last is drawn.
        width: in characters, without the labels of the axis.
        height: in lines, at least 2.
    """
    known = [value for values in series.values() for value in values if value is not None]
    low, top = min(known), max(known)
    rows = [[" "] * width for _ in range(height)]
    for mark, values in series.items():
        columns = {
            round(i * (width - 1) / max(epochs - 1, 1)): value
            for i, value in enumerate(values)
            if value is not None
        }
        for column, value in columns.items():
            share = (value - low) / (top - low) if top > low else 0.0
            rows[round((1 - share) * (height - 1))][column] = mark
    labels = [f"{top:.4g}" if top > low else "", *[""] * (height - 2), f"{low:.4g}"]
    return [
        f"{label:>{_LABEL - 2}} |{''.join(row)}".rstrip()
        for label, row in zip(labels, rows, strict=True)
    ]

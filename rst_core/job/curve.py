"""The curve of a training under way: beside its checkpoint, and for TensorBoard where asked for."""

from __future__ import annotations

import os
from pathlib import Path

from rst_core.checkpoints import State
from rst_core.curves import METRICS, write_curve
from rst_core.device.distributed import share
from rst_core.storage import file_digest

#: Variable of the environment: folder in which torch's own writer makes a run for each model.
TENSORBOARD = "RST_TENSORBOARD"


class GrowingCurve:
    """Follows the states of one training; only its first process writes.

    Args:
        checkpoint: where these states are saved.
        model: path of the model, which names the run for TensorBoard.

    Raises:
        ValueError: if TensorBoard is asked for and not installed.
    """

    def __init__(self, checkpoint: Path, model: str) -> None:
        # Beside the checkpoint: existing model files may come from another training.
        self._path = checkpoint.with_name(METRICS)
        self._board, self._shown = None, 0
        if not share().writes:
            return
        self._path.unlink(missing_ok=True)  # of other settings, or its state writes it again
        if folder := os.environ.get(TENSORBOARD):
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise ValueError(
                    f"{TENSORBOARD} is {folder}, and tensorboard is not installed; "
                    "pip install tensorboard, or unset the variable"
                ) from None
            # A continued training writes all epochs again, over those of its last session.
            self._board = SummaryWriter(str(Path(folder, model)), purge_step=0)

    def follow(self, state: State) -> None:
        """Write the epochs of a state that was saved or restored."""
        lines = state["state"]["metrics"]
        write_curve(self._path, lines)
        if self._board is not None:
            for line in lines[self._shown :]:
                for name, value in line.items():
                    if name != "epoch":
                        tag = name.replace("_", "/")
                        self._board.add_scalar(tag, value, line["epoch"])
            self._shown = len(lines)
            self._board.flush()

    def move(self, beside: Path) -> str:
        """Move the finished curve beside the models; returns its digest, which they keep."""
        beside.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(beside)
        return file_digest(beside)

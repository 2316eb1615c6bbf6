"""results/cells.csv: every measured number, a row each, with every axis as a column."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from rst_core.storage import atomic_path, write_text
from workflow.artifacts.numbers.frame import MEANINGS, read_cells


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

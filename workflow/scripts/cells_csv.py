"""Snakemake's way into ``workflow.artifacts.numbers.cells_csv``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workflow.keys import State
from workflow.showing import Shown, logged

job = snakemake  # type: ignore[name-defined]  # noqa: F821

with logged(Path(job.log[0])):
    from workflow.artifacts.numbers.cells_csv import write_cells_csv

    target, matrix, keys = Path(job.output[0]), (shown := Shown(job.config)).matrix, shown.keys
    cells = matrix.all_cells()
    fresh = [c for c in cells if keys.verdict(c).state is State.FRESH]
    write_cells_csv((Path(matrix.file(cell)) for cell in fresh), target)
    told = f"{target} has the numbers of {len(fresh)} of {len(cells)} cells"
    print(told, file=sys.stderr)
print(told, file=sys.stderr)

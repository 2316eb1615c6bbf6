"""Snakemake's way into ``workflow.artifacts.numbers.cells_csv``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workflow.showing import Shown, logged

job = snakemake  # type: ignore[name-defined]  # noqa: F821

with logged(Path(job.log[0])):
    from workflow.artifacts.numbers.cells_csv import write_cells_csv

    shown = Shown(job.config)
    write_cells_csv(shown.files(shown.matrix.all_cells()), Path(job.output[0]))

"""Snakemake's way into ``workflow.artifacts.report.training``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workflow.showing import Shown, logged

job = snakemake  # type: ignore[name-defined]  # noqa: F821

with logged(Path(job.log[0])):
    from workflow.artifacts.figures.training_parts import trained_cells
    from workflow.artifacts.report.training import read_curves, write_training

    shown, name = Shown(job.config), job.wildcards.experiments
    cells = trained_cells(shown.matrix, name)
    shown.files(cells)
    curves, left_out = read_curves(cells, lambda cell: Path(shown.matrix.file(cell)))
    for sentence in left_out:
        print(sentence, file=sys.stderr)
    folder, pages, page = (Path(job.output[i]) for i in ("figures", "pages", "page"))
    write_training(name, curves, left_out, shown.matrix, folder, page, pages)
    shown.stamp(page, cells, sorted([*folder.iterdir(), *pages.iterdir()]))

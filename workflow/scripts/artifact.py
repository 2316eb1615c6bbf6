"""Snakemake's way into ``workflow.artifacts.make``: an artifact, its files, its page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workflow.showing import Shown, logged

job = snakemake  # type: ignore[name-defined]  # noqa: F821

with logged(Path(job.log[0])):
    from workflow.artifacts.make import make
    from workflow.artifacts.registry import FIGURES, TABLES
    from workflow.artifacts.report.page import page_name, write_page

    shown = Shown(job.config)
    name, stem = job.wildcards.artifact, Path(job.output.csv).with_suffix("")
    artifact = (TABLES | FIGURES)[name]
    cells = artifact.cells(shown.matrix)
    make(artifact, shown.files(cells), shown.matrix, stem)
    made = [Path(path) for which, path in job.output.items() if which != "page"]
    page = Path(job.output.page) / page_name(artifact)
    write_page(artifact, made, page)
    shown.stamp(page, cells, made)

"""Snakemake's way into ``workflow.artifacts.make``: an artifact, its files, its page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workflow.artifacts.make import make_figure, make_table
from workflow.artifacts.page import page_name, write_page
from workflow.artifacts.registry import FIGURES, TABLES
from workflow.config import read_config
from workflow.matrix import Matrix

job = snakemake  # type: ignore[name-defined]  # noqa: F821
name = job.wildcards.artifact

with open(job.log[0], "w", encoding="utf-8") as log:
    sys.stderr = log
    matrix = Matrix(read_config(job.config))
    cells = [Path(path) for path in job.input]
    stem = Path(job.output.csv).with_suffix("")
    if name in TABLES:
        make_table(TABLES[name], cells, matrix, stem)
    else:
        make_figure(FIGURES[name], cells, matrix, stem)
    artifact = (TABLES | FIGURES)[name]
    made = [Path(path) for which, path in job.output.items() if which != "page"]
    write_page(artifact, made, Path(job.output.page) / page_name(artifact))

"""Snakemake's way into ``workflow.artifacts.claims``: all claims, their cells, files and page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rst_core.files import write_text
from workflow.artifacts.claims import make_claims
from workflow.config import read_config
from workflow.matrix import Matrix

job = snakemake  # type: ignore[name-defined]  # noqa: F821

with open(job.log[0], "w", encoding="utf-8") as log:
    sys.stderr = log
    matrix = Matrix(read_config(job.config))
    cells = [Path(path) for path in job.input]
    make_claims(cells, matrix, Path(job.output.csv).with_suffix(""))
    write_text(Path(job.output.page), Path(job.output.html).read_text(encoding="utf-8"))

"""Snakemake's way into ``workflow.artifacts.claims``: all claims, their cells, files and page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workflow.showing import Shown, logged

job = snakemake  # type: ignore[name-defined]  # noqa: F821

with logged(Path(job.log[0])):
    from workflow.artifacts.claims import claim_cells, make_claims

    shown = Shown(job.config)
    cells = claim_cells(shown.matrix)
    page, stem = Path(job.output.page), Path(job.output.csv).with_suffix("")
    make_claims(shown.files(cells), shown.matrix, stem, page)
    shown.stamp(page, cells, [job.output.csv, job.output.places, job.output.html])

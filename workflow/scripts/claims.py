"""Snakemake's way into ``workflow.artifacts.claims``: all claims, their cells, files and page."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workflow.showing import Shown, logged

job = snakemake  # type: ignore[name-defined]  # noqa: F821

with logged(Path(job.log[0])):
    from rst_core.storage import write_text
    from workflow.artifacts.claims import claim_cells, make_claims
    from workflow.artifacts.claims.page import without_links

    shown = Shown(job.config)
    cells = claim_cells(shown.matrix)
    make_claims(shown.files(cells), shown.matrix, Path(job.output.csv).with_suffix(""))
    page = Path(job.output.page)
    write_text(page, without_links(Path(job.output.html).read_text(encoding="utf-8")))
    shown.stamp(page, cells, [job.output.csv, job.output.places, job.output.html])

"""Snakemake's way into ``workflow.artifacts.report.protocol``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workflow.showing import Shown, logged

job = snakemake  # type: ignore[name-defined]  # noqa: F821

with logged(Path(job.log[0])):
    from rst_core.storage import write_text
    from workflow.artifacts.report.page import PROTOCOL, from_markdown, page
    from workflow.artifacts.report.protocol import protocol

    shown = Shown(job.config)
    cells = shown.matrix.all_cells()
    text = protocol(shown.matrix, shown.files(cells))
    write_text(Path(job.output[0]), page(PROTOCOL, from_markdown(text)))
    shown.stamp(Path(job.output[0]), cells)

"""Snakemake's way into ``workflow.artifacts.page``: an artifact's page from its files."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workflow.artifacts.page import label, write_page
from workflow.artifacts.registry import FIGURES, TABLES

job = snakemake  # type: ignore[name-defined]  # noqa: F821

with open(job.log[0], "w", encoding="utf-8") as log:
    sys.stderr = log
    artifacts = {label(a): a for a in (TABLES | FIGURES).values()}
    write_page(artifacts[job.wildcards.label], map(Path, job.input), Path(job.output[0]))

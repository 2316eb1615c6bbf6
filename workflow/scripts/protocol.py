"""Snakemake's way into ``workflow.artifacts.protocol``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rst_core.files import write_text
from workflow.artifacts.page import PROTOCOL, from_markdown, page
from workflow.artifacts.protocol import protocol, read_made
from workflow.config import read_config
from workflow.matrix import Matrix

job = snakemake  # type: ignore[name-defined]  # noqa: F821

with open(job.log[0], "w", encoding="utf-8") as log:
    sys.stderr = log
    text = protocol(Matrix(read_config(job.config)), read_made(map(Path, job.input.cells)))
    write_text(Path(job.output[0]), page(PROTOCOL, from_markdown(text)))

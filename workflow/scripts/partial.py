"""Snakemake's way into ``workflow.artifacts.partial``; what it found goes to the screen too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rst_core.files import write_text
from workflow.artifacts.partial import draw_partial
from workflow.config import read_config
from workflow.matrix import Matrix

job = snakemake  # type: ignore[name-defined]  # noqa: F821

target = Path(job.output.pages).parent
told = draw_partial(Matrix(read_config(job.config)), target).sentences()
write_text(Path(job.log[0]), "\n".join([*told, ""]))
for sentence in [*told, f"tables, figures and pages are in {target}"]:
    print(sentence, file=sys.stderr)

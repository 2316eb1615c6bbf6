"""Snakemake's way into ``workflow.artifacts.report.partial``; its findings go to the screen too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workflow.showing import Shown, logged

job = snakemake  # type: ignore[name-defined]  # noqa: F821

target = Path(job.output.pages).parent
with logged(Path(job.log[0])):
    from workflow.artifacts.report.partial import draw_partial

    shown = Shown(job.config)
    told = [
        *draw_partial(shown.matrix, shown.keys, target).sentences(),
        f"tables, figures and pages are in {target}",
    ]
    print("\n".join(told), file=sys.stderr)
print("\n".join(told), file=sys.stderr)

"""Snakemake's way to all that shows results: a function for each rule, by its name.

Each imports what it needs itself: a job is a process of its own, whose start is most of its work,
and what cannot be imported belongs into its log.
"""

import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from workflow.keys import State
from workflow.showing import Shown, logged

job = snakemake  # type: ignore[name-defined]  # noqa: F821


def artifact() -> None:
    """A table or a figure, and its page."""
    from workflow.artifacts.make import make
    from workflow.artifacts.registry import ARTIFACTS
    from workflow.artifacts.report.page import page_name, write_page

    shown = Shown(job.config)
    name, stem = job.wildcards.artifact, Path(job.output.csv).with_suffix("")
    artifact = ARTIFACTS[name]
    cells = artifact.cells(shown.matrix)
    make(artifact, shown.files(cells), shown.matrix, stem)
    made = [Path(path) for which, path in job.output.items() if which != "page"]
    page = Path(job.output.page) / page_name(artifact)
    write_page(artifact, made, page)
    shown.stamp(page, cells, made)


def claims() -> None:
    """The verdicts on all claims, and their page."""
    from workflow.artifacts.claims import claim_cells, make_claims

    shown = Shown(job.config)
    cells = claim_cells(shown.matrix)
    page, stem = Path(job.output.page), Path(job.output.csv).with_suffix("")
    make_claims(shown.files(cells), shown.matrix, stem, page)
    shown.stamp(page, cells, [job.output.csv, job.output.places, job.output.html])


def protocol() -> None:
    """The page on how the numbers were made."""
    from rst_core.storage import write_text
    from workflow.artifacts.report.page import PROTOCOL, from_markdown, page
    from workflow.artifacts.report.protocol import protocol

    shown = Shown(job.config)
    cells = shown.matrix.all_cells()
    text = protocol(shown.matrix, shown.files(cells))
    write_text(Path(job.output[0]), page(PROTOCOL, from_markdown(text)))
    shown.stamp(Path(job.output[0]), cells)


def training_curves() -> None:
    """The training curves of an experiment or of all, and their pages."""
    from workflow.artifacts.figures.training_parts import trained_cells
    from workflow.artifacts.report.training import read_curves, write_training

    shown, name = Shown(job.config), job.wildcards.experiments
    cells = trained_cells(shown.matrix, name)
    shown.files(cells)
    curves, left_out = read_curves(cells, lambda cell: Path(shown.matrix.file(cell)))
    for sentence in left_out:
        print(sentence, file=sys.stderr)
    folder, pages, page = (Path(job.output[i]) for i in ("figures", "pages", "page"))
    write_training(name, curves, left_out, shown.matrix, folder, page, pages)
    shown.stamp(page, cells, sorted([*folder.iterdir(), *pages.iterdir()]))


def partial() -> str:
    """Everything from the cells that exist now; says what it found."""
    from workflow.artifacts.report.partial import draw_partial

    shown, target = Shown(job.config), Path(job.output.pages).parent
    found = draw_partial(shown.matrix, shown.keys, target).sentences()
    return "\n".join([*found, f"tables, figures and pages are in {target}"])


def cells_csv() -> str:
    """Every number that exists, as CSV; says how many cells have some."""
    from workflow.artifacts.numbers.cells_csv import write_cells_csv

    shown, target = Shown(job.config), Path(job.output[0])
    cells = shown.matrix.all_cells()
    fresh = [cell for cell in cells if shown.keys.state(cell) is State.FRESH]
    write_cells_csv((Path(shown.matrix.file(cell)) for cell in fresh), target)
    return f"{target} has the numbers of {len(fresh)} of {len(cells)} cells"


MAKERS: dict[str, Callable[[], str | None]] = {
    "table": artifact, "figure": artifact, "claims": claims, "protocol": protocol,
    "training_curves": training_curves, "partial": partial, "cells_csv": cells_csv,
}  # fmt: skip

with logged(Path(job.log[0])):
    if told := MAKERS[job.rule]():
        print(told, file=sys.stderr)
if told:
    print(told, file=sys.stderr)

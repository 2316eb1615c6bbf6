"""The training curves of all experiments: a figure, its data and a page each, and an overview."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path

from rst_core.curves import Epoch, curve_of
from rst_core.identity import TrainingCell
from rst_core.storage import write_text
from workflow.artifacts import style
from workflow.artifacts.figures import training
from workflow.artifacts.figures.training_parts import experiments, trained
from workflow.artifacts.report.page import figure, on_data, page, training_label, training_overview
from workflow.matrix import Matrix


def read_curves(
    cells: Iterable[TrainingCell], file: Callable[[TrainingCell], Path]
) -> tuple[dict[TrainingCell, list[Epoch]], list[str]]:
    """The curves of finished models, and a sentence for each that cannot be shown."""
    found, left_out = {}, []
    for cell in cells:
        try:
            found[cell] = curve_of(file(cell))
        except (OSError, ValueError) as error:
            left_out.append(str(error))
    return found, left_out


def write_training(
    name: str,
    curves: training.Curves,
    left_out: Iterable[str],
    matrix: Matrix,
    folder: Path,
    target: Path,
    pages: Path,
) -> None:
    """Write figure, data and page of each experiment that has a curve, and an overview.

    The pictures stand in a page for each experiment: a report shows its pages in frames, and
    Chromium shows none of more than 2 MB.

    Args:
        name: an experiment, or ``all``.
        curves: of those models that have one.
        left_out: what is said of the others that there are.
        matrix: the config's.
        folder: where figures and data go.
        target: the overview.
        pages: where pages go.
    """
    for made in (folder, pages):
        made.mkdir(parents=True, exist_ok=True)
    lines = []
    for experiment in experiments(matrix, name):
        data = training.build(experiment, curves, matrix)
        datasets = data["data"].unique()
        count = f"{data['cell'].nunique()} of {len(trained(matrix, experiment))} models"
        lines.append(f"<li>{on_data(experiment, datasets)}: {count}</li>")
        if data.empty:
            continue
        picture = folder / f"{experiment}.png"
        style.save(training.draw(experiment, data, matrix), picture, tight=False)
        write_text(picture.with_suffix(".csv"), data.to_csv(index=False))
        title = training_label(experiment)
        body = figure(on_data(title, datasets), picture, wide=True)
        body += f'<p class="files">{count}; data: {picture.with_suffix(".csv")}</p>'
        write_text(pages / f"{title}.html", page(title, body))
    problems = [f"<p><b>left out: {escape(sentence)}</b></p>" for sentence in left_out]
    overview = training_overview(name)
    lines = [f"<h1>{overview}</h1>", *problems, "<ul>", *lines, "</ul>"]
    write_text(target, page(overview, "\n".join(lines)))

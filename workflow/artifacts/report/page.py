"""One HTML page for each artifact, with nothing outside it: for the report, or opened alone.

A page is made from the artifact's finished files, so it says what they say, footnotes and
stand-in marks included. Pages are named by titles, ``Table 3 - R2S under PGD-20.html``, because the
report's search looks at names of files only.
"""

from __future__ import annotations

import base64
import csv
import mimetypes
import re
from collections.abc import Iterable
from html import escape
from pathlib import Path

from rst_core.storage import write_text
from workflow.artifacts.artifact import Artifact

#: Names of the pages that are about no single artifact.
CLAIMS, PROGRESS, PROTOCOL = "Claims", "Progress", "Protocol"

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1e293b; margin: 1.5rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
p, li { max-width: 60rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; border-block: 2px solid #1e293b; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #cbd5e1; text-align: left;
  vertical-align: top; font-variant-numeric: tabular-nums; }
th { background: #f1f5f9; cursor: pointer; } tr:hover td { background: #f8fafc; }
.figure { overflow: auto; }
.figure img { max-width: 100%; cursor: zoom-in; }
.wide img { min-width: 40rem; }
#zoom { position: absolute; opacity: 0; }
#zoom:focus-visible + label { outline: 2px solid #0369a1; }
#zoom:checked + label img { max-width: none; min-width: 200%; cursor: zoom-out; }
@media (max-width: 40rem) { body { margin: .7rem; } th, td { padding: .2rem .35rem; } }
.files { color: #64748b; font-size: .85rem; } .files a { color: #0369a1; }
"""


#: A click on a column's header sorts by its numbers, another one the other way; text goes last.
_SORT = """
document.querySelectorAll("th").forEach(th => th.onclick = () => {
  const body = th.closest("table").tBodies[0], sign = th.dataset.sign = -(th.dataset.sign || 1);
  const value = row => {
    const text = row.cells[th.cellIndex].textContent;
    return text.trim() && !isNaN(parseFloat(text)) ? sign * parseFloat(text) : Infinity;
  };
  const rows = [...body.rows].map(row => [value(row), row]);
  rows.sort((a, b) => a[0] === b[0] ? 0 : a[0] - b[0]).forEach(([_, row]) => body.append(row));
});
"""


def label(artifact: Artifact) -> str:
    """An artifact's title as a file's name: ``Table 3 - R2S under PGD-20``.

    Without commas, which end the header of a data URI, where the report has the name.
    """
    return re.sub(r"[^\w .()'-]", "", artifact.title.replace(": ", " - "))


def training_label(experiment: str) -> str:
    """What the page of an experiment's training curves is called."""
    return f"Training curves of {experiment}"


def training_overview(experiments: str) -> str:
    """What the overview of an experiment's training curves, or of those of ``all``, is called."""
    return f"Training overview of {experiments}"


def page_name(artifact: Artifact) -> str:
    """The file name of its page."""
    return f"{label(artifact)}.html"


def sortable(title: str) -> str:
    """The title so that the report, which sorts by letters, has Figure 2 before Figure 10.

    The padding is a figure space: as wide as a digit, and sorted before it.
    """
    return re.sub(r"^(Figure) (?=\d(?!\d))", "\\1 \u2007", title)


def page(title: str, body: str) -> str:
    """A whole page around ``body``, which is HTML."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        '</title><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body>\n{body}\n<script>{_SORT}</script></body></html>\n"
    )


def from_markdown(text: str) -> str:
    """Markdown with tables as HTML; HTML within it is shown as text, but for ``<sup>``."""
    from markdown_it import MarkdownIt

    found = str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))
    found = re.sub(r"<(/?)h2>", r"<\1h1>", found, count=2)  # an artifact's own heading
    found = re.sub(r"&lt;(/?)sup&gt;", r"<\1sup>", found)  # marks of footnotes
    return found.replace("<table>", '<div class="scroll"><table>').replace(
        "</table>", "</table></div>"
    )


def write_page(artifact: Artifact, files: Iterable[Path], target: Path) -> None:
    """Write an artifact's page from its finished files.

    Args:
        artifact: the table or figure.
        files: what it was made into; a table has a ``.md`` among them, a figure a ``.png``.
        target: the page.
    """
    by_suffix = {path.suffix: path for path in files}
    if ".md" in by_suffix:
        body = from_markdown(by_suffix[".md"].read_text(encoding="utf-8"))
        offered = [path for suffix, path in by_suffix.items() if suffix != ".png"]
    else:
        datasets = _datasets(by_suffix[".csv"])
        body = figure(on_data(artifact.heading, datasets), by_suffix[".png"])
        body += f"<p>{escape(artifact.caption)}</p>\n"
        body += f"<p>Data: {escape('; '.join(datasets))}.</p>" if datasets else ""
        offered = list(by_suffix.values())
    links = ", ".join(
        f'<a href="{data_uri(path)}" download="{escape(path.name)}">{escape(path.name)}</a>'
        for path in offered
    )
    body += f'\n<p class="files">Files: {links}</p>'
    write_text(target, page(artifact.heading, body))


def figure(title: str, picture: Path, *, wide: bool = False) -> str:
    """A picture under its title; a wide one is moved sideways on a phone, not shrunk."""
    return (
        f"<h1>{escape(title)}</h1>\n"
        f'<div class="figure{" wide" * wide}"><input type="checkbox" id="zoom"><label for="zoom" '
        'title="click to enlarge, and again to shrink">'
        f'<img src="{data_uri(picture)}" alt="{escape(title)}"></label></div>\n'
    )


def on_data(title: str, datasets: Iterable[str]) -> str:
    """A title that says if any of the datasets, as a tidy CSV names them, is a stand-in."""
    on_stand_in = any("stand-in for" in dataset for dataset in datasets)
    return f"{title} (on stand-in data)" if on_stand_in else title


def _datasets(path: Path) -> list[str]:
    """The datasets that a tidy CSV names, each once."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(dict.fromkeys(row["data"] for row in csv.DictReader(file) if row.get("data")))


def data_uri(path: Path) -> str:
    """A file's contents as an address."""
    kind = mimetypes.guess_type(path.name)[0] or "text/plain"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"

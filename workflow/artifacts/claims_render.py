"""Verdicts for people: Markdown, a page, a picture. Symbol and word, never colour alone."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from workflow.artifacts import style
from workflow.artifacts.claims_data import Claims
from workflow.artifacts.summary import protocol, remarks
from workflow.matrix import Matrix

_SYMBOLS = {"holds": "✓", "fails": "✗", "not enough cells yet": "…"}
_STAND_IN = (
    "Made on stand-ins: these verdicts are about the data and networks named in the last column, "
    "not about the paper."
)
_READING = (
    "Margin: how far the deciding number lies on the good side of its bound, in percentage points "
    "unless said otherwise, with a 95 % interval from seeds and test images. A verdict is clear "
    "if that interval lies on one side of zero and rests on more than one seed. The word "
    "definitions below, the tests and their bounds are fixed in workflow/paper/claims.yaml."
)


def verdict_words(row: Any) -> str:
    """A verdict with its symbol and its two qualifications: clear or not, paper or stand-in."""
    words = f"{_SYMBOLS.get(row.verdict, '–')} {row.verdict}"
    unclear = {"no": ", not clearly", "one seed": ", on one seed"}
    if isinstance(row.clear, str):
        words += unclear.get(row.clear, "")
        if row.places_in_config < row.places:
            words += f", on {row.places_in_config} of {row.places} comparisons"
        words += " (stand-in)" if row.stand_in else ""
    return words


def margin_words(row: Any) -> str:
    """The margin with its interval, or how far the cells have come."""
    if not row.places_in_config:
        return ""
    if pd.isna(row.margin):
        return f"{row.places_measured} of {row.places_in_config} comparisons measured"
    unit = "" if row.unit == "points" else f" {row.unit}"
    digits = 2 if row.unit == "points" else 3
    interval = f"{row.low:+.{digits}f} to {row.high:+.{digits}f}"
    return f"{row.margin:+.{digits}f} [{interval}]{unit}".replace("-", "−")


def rests_words(row: Any) -> str:
    """What decided, on how many seeds, and what of the statement could not be tested."""
    parts = []
    if pd.notna(row.margin):
        parts += [row.decided_by, f"{row.seeds:.0f} of {row.seeds_planned} seeds"]
        parts += [f"keep ratios {row.keep_ratios}"] if row.keep_ratios else []
    if isinstance(row.missing, str):
        parts.append(f"not in this config: {row.missing}")
    if isinstance(row.flags, str):
        parts.append(f"flags: {row.flags}")
    return "; ".join(parts)


def paper_words(row: Any) -> str:
    """The value that decides beside the paper's, where it prints one."""
    if pd.isna(row.value):
        return ""
    ours = f"{row.value:.2f}".replace("-", "−")
    if row.stand_in or pd.isna(row.paper):
        return ours
    return f"{ours} ({row.paper:.2f})".replace("-", "−")


def summary(verdicts: pd.DataFrame) -> str:
    """How many claims came out how."""
    counts = verdicts["verdict"].value_counts()
    clear = verdicts[verdicts["clear"] == "yes"]["verdict"].value_counts()
    parts = []
    for word in ("holds", "fails"):
        if counts.get(word):
            verb = word.removesuffix("s") if counts[word] > 1 else word
            parts.append(f"{counts[word]} {verb} ({clear.get(word, 0)} clearly)")
    rest = [w for w in counts.index if w not in ("holds", "fails")]
    parts += [f"{counts[w]}: {w}" for w in rest]
    return f"Of {len(verdicts)} statements of the paper: {'; '.join(parts)}."


def _notes(verdicts: pd.DataFrame, matrix: Matrix) -> list[str]:
    first = [_STAND_IN] if verdicts["stand_in"].any() else []
    made_with = remarks(matrix, list(matrix.config.roles.datasets))
    return [*first, summary(verdicts), f"{_READING} Protocol and data: {made_with}."]


_HEADS = (
    "Section", "Statement", "Verdict", "Margin [95 %]", "Value (paper's)", "Decided by", "Data"
)  # fmt: skip


def _rows(verdicts: pd.DataFrame) -> Iterator[Any]:
    yield from verdicts.itertuples()


def _cells(row: Any) -> list[str]:
    shown = [row.section, row.title, verdict_words(row), margin_words(row), paper_words(row)]
    return [*shown, rests_words(row), row.data]


def markdown(verdicts: pd.DataFrame, claims: Claims, matrix: Matrix) -> str:
    """A Markdown page."""
    lines = ["## What the paper says, judged on these cells", ""]
    for note in _notes(verdicts, matrix):
        lines += [note, ""]
    lines += ["| " + " | ".join(_HEADS) + " |", "|---" * len(_HEADS) + "|"]
    lines += [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in _cells(row)) + " |"
        for row in _rows(verdicts)
    ]
    lines += ["", "### Words as numbers", ""]
    lines += [f"- {name} = {word.value:g}: {word.reason}" for name, word in claims.words.items()]
    lines += ["", "### Statements that are not judged", ""]
    lines += [f"- [{n.section}] “{n.quote}”: {n.why}" for n in claims.not_judged]
    return "\n".join([*lines, ""])


_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:1.5rem;color:#222;background:#fff}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #ddd}
th{position:sticky;top:0;background:#f4f4f4}
.holds{border-left:5px solid #0072B2}.fails{border-left:5px solid #D55E00}
.open{border-left:5px solid #bbb;color:#555}
.warning{border:2px solid #D55E00;padding:.5rem .8rem;font-weight:600}
td:nth-child(2){min-width:16rem}td:nth-child(3){min-width:9rem}
.number{white-space:nowrap;font-variant-numeric:tabular-nums}
.small{font-size:85%;color:#444}q{font-style:italic}
"""


def html(verdicts: pd.DataFrame, claims: Claims, matrix: Matrix) -> str:
    """A page that needs nothing else; quotations and remarks fold out."""
    notes = _notes(verdicts, matrix)
    body = ["<h1>What the paper says, judged on these cells</h1>"]
    for note in notes:
        kind = ' class="warning"' if note == _STAND_IN else ""
        body.append(f"<p{kind}>{escape(note)}</p>")
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in _HEADS)
    body.append(f"<table><thead><tr>{head}</tr></thead><tbody>")
    body += [_html_row(row) for row in _rows(verdicts)]
    body.append("</tbody></table><h2>Words as numbers</h2><ul>")
    body += [
        f"<li><b>{escape(name)}</b> = {word.value:g}: {escape(word.reason)}</li>"
        for name, word in claims.words.items()
    ]
    body.append("</ul><h2>Statements that are not judged</h2><ul>")
    body += [
        f"<li>[{escape(n.section)}] <q>{escape(n.quote)}</q>: {escape(n.why)}</li>"
        for n in claims.not_judged
    ]
    body.append("</ul>")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Claims</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _html_row(row: Any) -> str:
    kind = row.verdict if row.verdict in ("holds", "fails") else "open"
    section, title, *rest, decided, data = (escape(cell) for cell in _cells(row))
    remark = f" {escape(row.remark)}" if row.remark else ""
    details = (
        f'<details class="small"><summary>{escape(row.rests_on)}</summary>'
        f"<q>{escape(row.quote)}</q>{remark}</details>"
    )
    verdict, *numbers = rest
    middle = f"<td>{verdict}</td>" + "".join(f'<td class="number">{n}</td>' for n in numbers)
    small = "".join(f'<td class="small">{cell}</td>' for cell in (decided, data))
    return (
        f'<tr class="{kind}" id="{row.claim}"><td>{section}</td>'
        f"<td>{title}{details}</td>{middle}{small}</tr>"
    )


def picture(verdicts: pd.DataFrame, matrix: Matrix) -> Figure:
    """Margins with their intervals, one line a claim; left of zero fails."""
    style.begin()
    shown = verdicts[verdicts["unit"] == "points"].reset_index(drop=True)
    figure, ax = plt.subplots(figsize=(9.1, 1.2 + 0.19 * len(shown)), layout="constrained")
    for y, row in enumerate(_rows(shown)):
        if pd.isna(row.margin):
            ax.text(0.3, y, str(row.verdict), va="center", fontsize=6, color="0.45")
            continue
        colour, marker = ("#0072B2", "o") if row.verdict == "holds" else ("#D55E00", "X")
        ax.plot([row.low, row.high], [y, y], color=colour, lw=1.2)
        face = colour if row.clear == "yes" else "white"
        ax.plot(row.margin, y, marker, mec=colour, mfc=face, mew=1, ms=5)
    ax.grid(False, axis="y")
    ax.axvline(0, color="0.3", lw=1)
    ax.set_xscale("symlog", linthresh=5)
    ax.set_xlim(-100, 100)
    ticks = [-50, -20, -10, -5, -2, 0, 2, 5, 10, 20, 50]
    ax.set_xticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    ax.minorticks_off()
    labels = [f"{row.title}  [{row.section}]" for row in _rows(shown)]
    ax.set_yticks(range(len(shown)), labels, fontsize=6)
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.set_xlabel("margin (percentage points): fails left of zero, holds right of it")
    stand_in = bool(verdicts["stand_in"].any())
    title = "Statements of the paper" + (" (on stand-in data)" if stand_in else "")
    ax.set_title(title)
    note = "circle: holds, cross: fails; filled: clear, hollow: not clear or one seed; line: 95 % "
    style.footnote(figure, f"{note}interval from seeds and test images; {protocol(matrix)}")
    return figure

"""The verdicts as one page that needs nothing else, for a wide screen and for a phone.

Symbol and word, never colour alone.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from workflow.artifacts.claims.definitions import Claims, Word
from workflow.artifacts.claims.paper import ROUNDING
from workflow.artifacts.numbers.summary import remarks
from workflow.matrix import Matrix

SYMBOLS = {"supported": "✓", "contradicted": "✗", "undecided": "?", "without cells": "–"}
_OWN = {"supports": "✓ supports", "contradicts": "✗ contradicts", "silent": "silent"}
#: Reason of a claim on which everything is measured.
CANNOT_TELL = "these cells do not decide"
#: Artifacts that statements rest on, by the words that name them.
FILES = {
    **{f"Figure {n}": f"figures/fig{n}.png" for n in range(1, 15)},
    **{f"Table {n}": f"tables/table{n}.png" for n in range(1, 10)},
    "section 4.7": "tables/sec47.png",
    "R2S stress test": "figures/r2s_stress.png",
}
NAMES = re.compile("|".join(rf"{re.escape(name)}\b" for name in FILES))

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Claims</title>
<meta name="viewport" content="width=device-width,initial-scale=1"><style>
body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;max-width:84rem;padding:1rem;color:#1e293b}
h1{font-size:1.4rem;margin:.3rem 0}h2{font-size:1.1rem;margin-top:2rem}p{max-width:60rem}
.count{display:flex;flex-wrap:wrap;gap:.6rem;padding:0;list-style:none}
.count li{border:2px solid;border-radius:.4rem;padding:.2rem .8rem;font-weight:600}
.warning{border:2px solid #b45309;padding:.5rem .8rem;font-weight:600}
article{display:grid;grid-template-columns:8rem minmax(0,1fr) 24rem 9rem;gap:.2rem 1.2rem;
border-top:1px solid #cbd5e1;padding:.7rem 0;align-items:start;overflow-wrap:anywhere}
article h3{font-size:1rem;margin:0;font-weight:600}article p{margin:.2rem 0}
.verdict{font-weight:700}.supported .verdict,li.supported{color:#0369a1}
.contradicted .verdict,li.contradicted{color:#b45309}
.undecided .verdict,.without .verdict,li.undecided,li.without{color:#64748b}
.small{font-size:.85rem;color:#475569}dt{font-weight:600}dd{margin:0 0 .4rem}
svg{width:100%%;height:46px;display:block}text{font:11px system-ui,sans-serif;fill:#475569}
.false{fill:#ffedd5}.bound{stroke:#b45309;stroke-width:2}.axis{stroke:#cbd5e1}
.tick{stroke:#94a3b8}.interval{stroke:#0f172a;stroke-width:3}
.effect{fill:#0f172a;stroke:#0f172a;stroke-width:2}.undecided .effect{fill:#fff}
.paper{fill:#7c3aed;font-size:15px}
@media(max-width:60rem){article{grid-template-columns:minmax(0,1fr)}}
</style></head><body>
<h1>What the paper says, judged on these cells</h1><ul class="count">%(count)s</ul>
%(stand_in)s<p><b>How to read it.</b> A statement is <b>supported</b> or <b>contradicted</b> where
the cells decide, at a false discovery rate of %(rate).0f %% over all statements: of these verdicts
at most %(rate).0f %% are expected to be wrong. Else it is <b>undecided</b>. The picture shows the
comparison that decides, named below it: dot, its effect; line, the interval that must lie clear of
the bound for a verdict; shaded, where the statement is false; diamond, the paper's own value;
ticks, the statement's other comparisons with the same bounds. On the right stands what the numbers
that the paper prints, and those that they imply, say of the same test, and how many comparisons
they settle.</p>
<p><b>Mostly</b>: at %(mostly).0f %% of the places or more. <b>Consistently better</b>: better on
average over the places, and at none worse by as much. A number that the paper prints may be
missed by %(published)g point; its other words are defined at the end.</p>
<p class="small">Protocol and data: %(made_with)s.</p>
%(articles)s
<h2>Words as numbers</h2><dl>%(words)s</dl>
<h2>Statements that are not judged</h2><ul>%(left)s</ul>
</body></html>
"""
_STAND_IN = (
    '<p class="warning">Made on stand-ins: these verdicts are about the data and networks that '
    "each statement's details name, not about the paper.</p>\n"
)


def html(
    rows: pd.DataFrame, places: pd.DataFrame, claims: Claims, matrix: Matrix, base: str = ""
) -> str:
    """The page; quotations and details fold out.

    Args:
        rows: one row a statement, as in the file of verdicts.
        places: one row a comparison.
        base: where the folders of figures and tables lie, from the page.
    """
    counts = rows["verdict"].value_counts()
    known = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return _PAGE % {
        "count": "".join(
            f'<li class="{w.split()[0]}">{s} {counts.get(w, 0)} {w}</li>'
            for w, s in SYMBOLS.items()
        ),
        "stand_in": _STAND_IN if rows["stand_in"].any() else "",
        "rate": 100 * claims.error_rate,
        "mostly": 100 * claims.mostly,
        "published": claims.published,
        "made_with": escape(remarks(matrix, list(matrix.config.roles.datasets))),
        "articles": "\n".join(
            _article({str(k): v for k, v in row.items()}, places, base) for row in known
        ),
        "words": "".join(
            f"<dt>{name.replace('_', ' ')}</dt><dd>{escape(_meaning(word))}</dd>"
            for name, word in claims.words.items()
        ),
        "left": "".join(
            f"<li>[{n['section']}] <q>{escape(n['quote'])}</q>: {escape(n['why'])}</li>"
            for n in claims.not_judged
        ),
    }


def without_links(text: str) -> str:
    """The page for a place from which figures and tables cannot be reached."""
    return re.sub(r'<a href="[^"]*">(.*?)</a>', r"\1", text)


def _article(row: dict[str, Any], places: pd.DataFrame, base: str) -> str:
    verdict, section = row["verdict"], f"[{row['section']}] {escape(row['rests_on'])}"
    rests_on = NAMES.sub(lambda m: f'<a href="{base}{FILES[m[0]]}">{m[0]}</a>', section)
    shown, details = "", [f"<q>{escape(row['quote'])}</q>", escape(row["remark"])]
    if row.get("effect") is not None:
        shown = _picture(row, places) + _small(_numbers(row), row["decided_by"])
        details.append(
            f"p = {row['p_supported']:.2g} for, {row['p_contradicted']:.2g} against; "
            f"{row['places_measured']} of {row['places']} comparisons measured, on "
            f"{row['seeds']:.0f} of {row['seeds_planned']:.0f} seeds; {escape(row['data'])}"
        )
    details += [f"Flags of the cells: {escape(row['flags'])}"] if row["flags"] else []
    return (
        f'<article id="{row["claim"]}" class="{verdict.split()[0]}">'
        f'<div class="verdict">{SYMBOLS[verdict]} {verdict}</div>'
        f"<div><h3>{escape(row['title'])}</h3>{_small(row['coverage'] or '', rests_on)}"
        f'<details class="small"><summary>quotation and details</summary>{_small(*details)}'
        f"</details></div><div>{shown}{_small(_open(row))}</div>"
        f"<div>Paper's own numbers: {_OWN[row['paper']]}{_small(row['paper_on'])}</div></article>"
    )


def _small(*parts: str) -> str:
    return "".join(f'<p class="small">{part}</p>' for part in parts if part)


def _open(row: dict[str, Any]) -> str:
    """Why there is no verdict, and what these cells could show."""
    if row["reason"] != CANNOT_TELL:
        return row["reason"] or ""
    if row["detectable"] is None:
        return f"{CANNOT_TELL}, and could show no effect at all"
    shown = f"{row['detectable']:.2f} {row['unit']} beyond the bound"
    return f"{CANNOT_TELL}; they could show {shown}, were every comparison so far beyond its own"


def _numbers(row: dict[str, Any]) -> str:
    text = f"{row['effect']:+.2f}"
    if row["interval_low"] is not None and row["interval_low"] < row["interval_high"]:
        text += f" [{row['interval_low']:+.2f}, {row['interval_high']:+.2f}]"
    bounds = (("at least", row["at_least"]), ("at most", row["at_most"]))
    text += f" {row['unit']}; " + ", ".join(f"{w} {b:+.2f}" for w, b in bounds if b is not None)
    if (paper := _papers_value(row)) is not None:
        text += f"; paper {paper:+.2f}"
    if row["margin"] is not None:
        text += f"; comparable within ±{row['margin']:.1f}"
    return text.replace("-", "−")


def _papers_value(row: dict[str, Any]) -> float | None:
    """The paper's value of the comparison that is shown, if it is known up to rounding."""
    low, high = row["paper_low"], row["paper_high"]
    known = low is not None and high - low <= ROUNDING and not row["stand_in"]
    return (low + high) / 2 if known else None


def _picture(row: dict[str, Any], places: pd.DataFrame) -> str:
    """Effect, interval, bounds, comparisons with the same bounds and the paper's value."""
    least, most, effect, paper = row["at_least"], row["at_most"], row["effect"], _papers_value(row)
    low, high = row["interval_low"], row["interval_high"]
    bounds = [np.inf if b is None else b for b in (least, most)]
    alike = places[["at_least", "at_most"]].fillna(np.inf).eq(bounds).all(axis=1)
    ticks = places.loc[alike & (places["claim"] == row["claim"]), "effect"].dropna()
    known = [v for v in (least, most, effect, low, high, paper, *ticks) if v is not None]
    pad = 0.08 * (max(known) - min(known)) or 1.0
    start, width = min(known) - pad, max(known) - min(known) + 2 * pad

    def x(value: float) -> float:
        return float(round(100 * (value - start) / width, 1))

    def line(kind: str, a: float, b: float, top: int, bottom: int) -> str:
        return f'<line class="{kind}" x1="{a}%" x2="{b}%" y1="{top}" y2="{bottom}"/>'

    parts = []
    # Each label stands on the shaded side of its bound, so that two never meet.
    for bound, below in ((least, True), (most, False)):
        if bound is not None:
            at = x(bound)
            left, right = (0.0, at) if below else (at, 100.0)
            anchor = "end" if below != (at < 10 if below else at > 90) else "start"
            size = f'x="{left}%" width="{right - left:.1f}%" y="4" height="30"'
            parts += [f'<rect class="false" {size}/>', line("bound", at, at, 4, 34)]
            words = f"{bound:g}".replace("-", "−")
            parts.append(f'<text x="{at}%" y="45" text-anchor="{anchor}">{words}</text>')
    parts.append(line("axis", 0, 100, 22, 22))
    parts += [line("tick", x(tick), x(tick), 27, 32) for tick in ticks]
    parts += [line("interval", x(low), x(high), 22, 22)] if low is not None else []
    parts.append(f'<circle class="effect" cx="{x(effect)}%" cy="22" r="5"/>')
    if paper is not None:
        parts.append(f'<text class="paper" x="{x(paper)}%" y="15" text-anchor="middle">◆</text>')
    label = f'role="img" aria-label="effect {effect:.2f} {row["unit"]}"'
    return f"<svg {label}>{''.join(parts)}</svg>"


def _meaning(word: Word) -> str:
    bounds = [f"at least {word.at_least:g}"] if word.at_least > -np.inf else []
    bounds += [f"at most {word.at_most:g}"] if word.at_most < np.inf else []
    times = f", the second side taken {word.times:g} times" if word.times != 1 else ""
    return f"{' and '.join(bounds)}{times}: {word.reason}"

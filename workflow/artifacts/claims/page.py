"""The verdicts as one page that needs nothing else, for a wide screen and for a phone.

Symbol and word, never colour alone.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow.artifacts.claims.definitions import Claims, Word
from workflow.artifacts.claims.paper import ROUNDING
from workflow.artifacts.numbers.summary import remarks
from workflow.matrix import Matrix

SYMBOLS = {"supported": "✓", "contradicted": "✗", "undecided": "?", "without cells": "–"}
_PAPER_VERDICTS = {"supports": "✓ supports", "contradicts": "✗ contradicts", "silent": "silent"}
#: Reason of a claim on which everything is measured.
CANNOT_TELL = "these cells do not decide"
#: Artifacts that statements rest on, by the words that name them.
FILES = {
    "Figure 7 with all steps": "figures/fig7_all_steps.png",
    **{f"Figure {n}": f"figures/fig{n}.png" for n in range(1, 15)},
    **{f"Table {n}": f"tables/table{n}.png" for n in range(1, 10)},
    "section 4.7": "tables/sec47.png",
    "R2S stress test": "figures/r2s_stress.png",
}
NAMES = re.compile("|".join(rf"{re.escape(name)}\b" for name in FILES))

_PAGE = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
_STAND_IN = (
    '<p class="warning">Made on stand-ins: these verdicts are about the data and networks that '
    "each statement's details name, not about the paper.</p>\n"
)


def html(
    rows: pd.DataFrame,
    places: pd.DataFrame,
    claims: Claims,
    matrix: Matrix,
    base: str = "",
    remark: str = "",
) -> str:
    """The page of verdicts and the comparisons behind them; quotations and details fold out.

    ``base`` is where the folders of figures and tables lie; ``remark`` goes to the page's top.
    """
    counts = rows["verdict"].value_counts()
    known = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return _PAGE % {
        "remark": f"<p>{escape(remark)}.</p>\n" if remark else "",
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
    """The page for a folder from which figures and tables cannot be reached."""
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
        f"<div>Paper's own numbers: {_PAPER_VERDICTS[row['paper']]}{_small(row['paper_on'])}</div>"
        "</article>"
    )


def _small(*parts: str) -> str:
    return "".join(f'<p class="small">{part}</p>' for part in parts if part)


def _open(row: dict[str, Any]) -> str:
    """Why there is no verdict, and what these cells could show."""
    if row["reason"] != CANNOT_TELL:
        return row["reason"] or ""
    if row["detectable"] is None:
        return f"{CANNOT_TELL}, and no effect would be detectable"
    shown = f"{row['detectable']:.2f} {row['unit']} beyond the bound"
    return f"{CANNOT_TELL}; detectable: {shown}, if every comparison exceeds its bound by as much"


def _numbers(row: dict[str, Any]) -> str:
    text = f"{row['effect']:+.2f}"
    if row["interval_low"] is not None and row["interval_low"] < row["interval_high"]:
        text += f" [{row['interval_low']:+.2f}, {row['interval_high']:+.2f}]"
    bounds = (("at least", row["at_least"]), ("at most", row["at_most"]))
    text += f" {row['unit']}; " + ", ".join(f"{w} {b:+.2f}" for w, b in bounds if b is not None)
    if (paper := _papers_value(row)) is not None:
        text += f"; paper {paper:+.2f}"
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

"""A table as a picture, in the look of the paper's tables: rules between groups, no boxes."""

from __future__ import annotations

from functools import cache
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import text_to_path

from workflow.artifacts import style
from workflow.artifacts.tables.grid import Entry, Grid, has_paper

_SIZE, _PAPER_SIZE, _NOTE_SIZE, _TITLE_SIZE, _MARK_SIZE = 8.0, 7.0, 7.0, 9.5, 5.5
_BOLD = 1.15  # width of bold letters over that of others
_HINTED = 1.03  # screens round letters to whole pixels
_LEADING = 1.3  # line height over font size
_GAP = 9.0  # between columns, in points
_MARGIN = 8.0
_NARROWEST = 330.0  # so that titles and remarks have room


class _Page:
    """A figure measured in points from its upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = plt.figure(figsize=(width / 72, height / 72))
        self._width, self._height = width, height

    def text(self, x: float, y: float, text: str, size: float = _SIZE, **how: Any) -> None:
        how = {"ha": "center", "va": "center"} | how
        self.figure.text(
            x / self._width, 1 - y / self._height, text, fontsize=size, linespacing=1.15, **how
        )

    def rule(self, x0: float, x1: float, y: float, width: float) -> None:
        xs, y = [x0 / self._width, x1 / self._width], 1 - y / self._height
        self.figure.add_artist(Line2D(xs, [y, y], color="0.15", lw=width))


def picture(grid: Grid, title: str, note: str) -> Figure:
    """Our number at each position, the paper's in brackets under it."""
    style.begin()
    stub, columns = _widths(grid)
    needed = sum(stub) + sum(columns)
    spare = max(0.0, _NARROWEST - needed) / len(columns)
    columns = [width + spare for width in columns]
    width = sum(stub) + sum(columns) + 2 * _MARGIN
    title_lines = _wrapped(title, (width - 2 * _MARGIN) / _BOLD, _TITLE_SIZE)
    notes = [note, *(f"{letter}: {text}" for letter, text in grid.footnotes.items())]
    note_lines = [line for n in notes for line in _wrapped(n, width - 2 * _MARGIN, _NOTE_SIZE)]
    headers = [
        _lines_high([label for label, _, _ in grid.spans(level)], _SIZE) + 4
        for level in range(len(grid.columns[0]))
    ]
    headers[-1] = max(headers[-1], _lines_high(list(grid.stub), _SIZE) + 4)
    rows = [_row_high(grid, index) for index in range(len(grid.rows))]
    top = _MARGIN + len(title_lines) * _TITLE_SIZE * _LEADING + 5
    body = top + sum(headers) + 3
    bottom = body + sum(rows) + 2
    page = _Page(width, bottom + 6 + len(note_lines) * _NOTE_SIZE * _LEADING + _MARGIN)

    left, right = _MARGIN, width - _MARGIN
    page.text(
        left, _MARGIN, "\n".join(title_lines), _TITLE_SIZE, ha="left", va="top", weight="bold"
    )
    edges = [left]
    for one in [*stub, *columns]:
        edges.append(edges[-1] + one)
    page.rule(left, right, top, 1.2)
    _draw_headers(page, grid, edges, top, headers)
    page.rule(left, right, body - 2, 0.7)
    _draw_rows(page, grid, edges, body, rows)
    page.rule(left, right, bottom, 1.2)
    page.text(
        left, bottom + 6, "\n".join(note_lines), _NOTE_SIZE, ha="left", va="top", color="0.25"
    )
    return page.figure


def _draw_headers(
    page: _Page, grid: Grid, edges: list[float], y: float, heights: list[float]
) -> None:
    stub = len(grid.stub)
    for level, height in enumerate(heights):
        for label, first, last in grid.spans(level):
            x0, x1 = edges[stub + first], edges[stub + last + 1]
            page.text((x0 + x1) / 2, y + height / 2, label)
            if last > first and level < len(heights) - 1 and label:
                page.rule(x0 + _GAP / 2, x1 - _GAP / 2, y + height - 0.5, 0.5)
        y += height
    for index, label in enumerate(grid.stub):
        page.text(edges[index], y - heights[-1] / 2, label, ha="left")


def _draw_rows(page: _Page, grid: Grid, edges: list[float], y: float, heights: list[float]) -> None:
    stub = len(grid.stub)
    lines = zip(grid.entries, heights, strict=True)
    for index, (entries, height) in enumerate(lines):
        if grid.begins_group(index):
            page.rule(edges[0], edges[-1], y, 0.4)
        for column, label in _shown_labels(grid, index):
            page.text(edges[column], y + height / 2, label, ha="left")
        for column, entry in enumerate(entries):
            middle = (edges[stub + column] + edges[stub + column + 1]) / 2
            if entry is not None:
                _draw_entry(page, entry, middle, y, height)
        y += height


def _shown_labels(grid: Grid, index: int) -> list[tuple[int, str]]:
    """A row's labels by their columns in the stub, without those that the row above has already."""
    labels, above = grid.rows[index], grid.rows[index - 1] if index else ()
    new = index == 0 or grid.begins_group(index)
    return [
        (column, label)
        for column, label in enumerate(labels)
        if new or column == len(labels) - 1 or labels[: column + 1] != above[: column + 1]
    ]


def _row_high(grid: Grid, index: int) -> float:
    numbers = _SIZE + (_PAPER_SIZE if has_paper(grid.entries[index]) else 0)
    labels = _lines_high([label for _, label in _shown_labels(grid, index)], _SIZE)
    return max(numbers * _LEADING, labels) + 3


def _draw_entry(page: _Page, entry: Entry, x: float, y: float, height: float) -> None:
    first = y + height / 2 - (_PAPER_SIZE * _LEADING / 2 if entry.paper else 0)
    page.text(x, first, entry.ours)
    if entry.marks:
        right = x + _wide(entry.ours, _SIZE) / 2 + 0.5
        page.text(right, first - _SIZE * 0.35, ",".join(entry.marks), _MARK_SIZE, ha="left")
    if entry.paper:
        page.text(x, first + _SIZE * _LEADING, f"({entry.paper})", _PAPER_SIZE, color="0.35")


def _widths(grid: Grid) -> tuple[list[float], list[float]]:
    """Widths of the stub's columns and of the others, in points."""
    stub = [
        max(_wide(text, _SIZE) for text in (title, *(labels[i] for labels in grid.rows))) + _GAP
        for i, title in enumerate(grid.stub)
    ]
    columns = [
        max(_entry_wide(line[i]) for line in grid.entries) + _GAP for i in range(len(grid.columns))
    ]
    for level in reversed(range(len(grid.columns[0]))):
        for label, first, last in grid.spans(level):
            short = _wide(label, _SIZE) + _GAP - sum(columns[first : last + 1])
            for i in range(first, last + 1):
                columns[i] += max(0.0, short) / (last - first + 1)
    return stub, columns


def _entry_wide(entry: Entry | None) -> float:
    if entry is None:
        return 0.0
    marks = _wide(",".join(entry.marks), _MARK_SIZE)
    return max(_wide(entry.ours, _SIZE) + 2 * marks, _wide(f"({entry.paper})", _PAPER_SIZE))


def _wide(text: str, size: float) -> float:
    """Width of the widest line, in points."""
    return max(_line_wide(line) for line in text.split("\n")) * size


@cache
def _line_wide(text: str) -> float:
    """Width of a line over its font's size."""
    font = FontProperties(family=plt.rcParams["font.family"], size=100)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 100


def _lines_high(texts: list[str], size: float) -> float:
    return max(text.count("\n") + 1 for text in texts) * size * _LEADING


def _wrapped(text: str, width: float, size: float) -> list[str]:
    """Lines that fit a width in points."""
    lines = [""]
    for word in style.keep_together(text).split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if _wide(longer, size) * _HINTED <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines

"""How numbers are written for people: tables, lengths of time, accuracies."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from tabulate import tabulate


def table(
    header: Sequence[object], rows: Iterable[Sequence[object]], numbers: Container[int] = ()
) -> str:
    """A Markdown table, for pages and terminals; columns of ``numbers`` are right-aligned."""
    align = ["right" if i in numbers else "left" for i in range(len(header))]
    plain = [[_cell(value) for value in row] for row in [header, *rows]]
    return str(tabulate(plain[1:], plain[0], "pipe", colalign=align, disable_numparse=True))


def _cell(value: object) -> str:
    return str(value).replace("\n", " ").replace("|", "\\|")


def hours(seconds: float) -> str:
    """Hours with about two digits: 0.03, 1.4, 36, 1,200."""
    value = seconds / 3600
    if 0 < value < 0.01:
        return "< 0.01"
    if value >= 9.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.95 else f"{value:.2g}"


def duration(seconds: float) -> str:
    """For people: 45 s, 12 min, 5.2 h, 3.1 days."""
    for size, unit in ((86400.0, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size or (unit != "days" and seconds >= size):
            value = seconds / size
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{seconds:.0f} s"


def accuracies(results: Sequence[Mapping[str, Mapping[str, int]]]) -> str:
    """The accuracies of a cell in percent; of a transfer row, from the least to the most.

    Raises:
        KeyError, TypeError, ZeroDivisionError: if these are no results of a cell.
    """
    found = {
        measure: [
            100 * r[measure]["correct"] / r[measure]["total"] for r in results if measure in r
        ]
        for measure in ("natural", "robust")
    }
    return ", ".join(f"{measure} {_span(values)}" for measure, values in found.items() if values)


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.1f}", f"{max(values):.1f}"
    return low if low == high else f"{low} to {high}"

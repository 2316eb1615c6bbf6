"""A table in the paper's layout: as Markdown, and as LaTeX. The picture is in picture.py."""

from __future__ import annotations

import pandas as pd

from workflow.artifacts.numbers.summary import remarks
from workflow.artifacts.tables.grid import Entry, Grid
from workflow.artifacts.tables.headers import percents
from workflow.artifacts.tables.tabulation import PAPER_CANDIDATES
from workflow.matrix import Matrix
from workflow.text import table

_TEX = str.maketrans(
    {c: f"\\{c}" for c in "%_&#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"ε": r"$\epsilon$", "±": r"$\pm$", "–": "--", "†": r"$\dagger$", "×": r"$\times$"}
    | {"…": r"\dots{}", "≥": r"$\geq$", "≤": r"$\leq$", "\n": " "}
)
#: With more columns a table is set in smaller letters.
_MANY_COLUMNS = 6


def table_remarks(data: pd.DataFrame, grid: Grid, matrix: Matrix) -> str:
    """The line under a table: what its numbers are, and what they were made on."""
    roles = list(dict.fromkeys(data["role"]))
    paper = " (the paper's number in brackets)" if grid.compares else ""
    parts = [f"Mean ± deviation over seeds{paper}"]
    parts += ["–: not measured"] if data["mean"].isna().any() else []
    parts.append(remarks(matrix, roles))
    unnamed = data[data["candidates"].notna() & ~data["row"].str.contains("@")]
    for candidates in dict.fromkeys(unnamed["candidates"]):
        keep_ratios = tuple(float(k) for k in candidates.split("+"))
        other = "" if keep_ratios == PAPER_CANDIDATES else f", the paper's over {{{_PAPER_SET}}}"
        parts.append(f"R2S over {{{percents(keep_ratios)}}}{other}")
    return "; ".join(parts)


_PAPER_SET = percents(PAPER_CANDIDATES)


def markdown(grid: Grid, title: str, caption: str) -> str:
    """A Markdown page with the table; labels of several levels are joined."""
    columns = [", ".join(label for label in column if label) for column in grid.columns]
    rows = [
        [*labels, *map(_markdown_entry, entries)]
        for labels, entries in zip(grid.rows, grid.entries, strict=True)
    ]
    lines = [f"## {title}", "", table([*grid.stub, *columns], rows)]
    notes = [f"- <sup>{letter}</sup> {text}" for letter, text in grid.footnotes.items()]
    return "\n".join([*lines, "", *notes, *([""] if notes else []), caption, ""])


def _markdown_entry(entry: Entry | None) -> str:
    if entry is None:
        return ""
    marks = f"<sup>{','.join(entry.marks)}</sup>" if entry.marks else ""
    return f"{entry.ours}{marks}" + (f" ({entry.paper})" if entry.paper else "")


def latex(grid: Grid, name: str, title: str, caption: str) -> str:
    r"""A ``table`` environment that compiles as is with ``\usepackage{booktabs,multirow}``."""
    frame = pd.DataFrame(
        [[_tex_entry(entry) for entry in line] for line in grid.entries],
        index=_tex_index(grid.rows, [tex(title) for title in grid.stub]),
        columns=_tex_index(grid.columns, None),
    )
    written = frame.style.to_latex(
        hrules=True,
        position="t",
        position_float="centering",
        caption=f"{tex(_unnumbered(title))}. {tex(caption)}",
        label=f"tab:{name}",
        column_format="l" * len(grid.stub) + "c" * len(grid.columns),
        multicol_align="c",
        multirow_align="t",
    )
    size = r"\scriptsize" if len(grid.columns) > _MANY_COLUMNS else r"\small"
    notes = [
        rf"\par\footnotesize \textsuperscript{{{letter}}} {tex(text)}"
        for letter, text in grid.footnotes.items()
    ]
    written = _with_rules(written, grid)
    written = written.replace(
        r"\begin{tabular}", f"{size}\\setlength{{\\tabcolsep}}{{3pt}}\n" + r"\begin{tabular}"
    )
    return written.replace(r"\end{tabular}", "\n".join([r"\end{tabular}", *notes]))


def _unnumbered(title: str) -> str:
    """A title with its number behind it: LaTeX sets its own before a caption."""
    number, colon, text = title.partition(": ")
    return f"{text[:1].upper()}{text[1:]} [{number}]" if colon else title


def tex(text: str) -> str:
    """Plain text as LaTeX."""
    return text.translate(_TEX)


def _tex_index(labels: tuple[tuple[str, ...], ...], names: list[str] | None) -> pd.Index:
    index = pd.MultiIndex.from_tuples([tuple(map(tex, one)) for one in labels], names=names)
    return index.get_level_values(0) if index.nlevels == 1 else index


def _tex_entry(entry: Entry | None) -> str:
    if entry is None:
        return ""
    marks = rf"\textsuperscript{{{','.join(entry.marks)}}}" if entry.marks else ""
    ours = tex(entry.ours) + marks
    return rf"\shortstack{{{ours}\\({entry.paper})}}" if entry.paper else ours


def _with_rules(written: str, grid: Grid) -> str:
    """Rules under labels that span columns; the stub's headers beside the lowest of them."""
    above, rest = written.split("\\toprule\n")
    header, below = rest.split("\\midrule\n")
    *levels, names = header.splitlines()
    stub = len(grid.stub)
    lowest = levels[-1].split(" & ")
    levels[-1] = " & ".join([*names.split(" & ")[:stub], *lowest[stub:]])
    lines = []
    for level, line in enumerate(levels):
        lines.append(line)
        wide = [(first, last) for _, first, last in grid.spans(level) if last > first]
        if level < len(levels) - 1 and wide:
            lines.append(
                " ".join(rf"\cmidrule(lr){{{a + 1 + stub}-{b + 1 + stub}}}" for a, b in wide)
            )
    body = below.splitlines()
    for row in reversed(range(len(grid.rows))):
        if grid.begins_group(row):
            body.insert(row, "\\midrule")
    return "\n".join([above + "\\toprule", *lines, "\\midrule", *body, ""])

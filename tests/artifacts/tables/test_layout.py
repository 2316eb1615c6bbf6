"""A table as Markdown and as LaTeX."""

import re

import numpy as np
import pytest

from tests.artifacts.tables.made_up_tables import built, made_up, shown
from workflow.artifacts.make import write
from workflow.artifacts.tables.entries import TABLES
from workflow.artifacts.tables.layout import latex, markdown, tex


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("which", ["paper", "demo"])
def test_latex_is_whole(name, which, request):
    matrix = request.getfixturevalue(which)
    grid = shown(name, matrix)
    source = latex(grid, name, "Table 9 (an alias): 5 % & more", "caption")
    for environment in ("table", "tabular"):
        assert source.count(rf"\begin{{{environment}}}") == 1
        assert source.count(rf"\end{{{environment}}}") == 1
    assert r"\caption{5 \% \& more [Table 9 (an alias)]. caption}" in source
    bare = source.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")
    assert source.count("$") % 2 == 0
    assert not re.search(r"(?<!\\)[%#_]", source.replace(rf"\label{{tab:{name}}}", ""))
    assert source.isascii()
    columns = len(grid.stub) + len(grid.columns)
    head, body = source.split("\\toprule\n")[1].split("\\bottomrule")[0].split("\\midrule\n", 1)
    lines = [line for line in (head + body).splitlines() if not line.startswith(r"\cmid")]
    for line in lines:
        if line == r"\midrule":
            continue
        spanned = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line))
        assert line.count(" & ") + 1 + spanned == columns
        assert line.endswith(r"\\")


@pytest.mark.parametrize("name", ["table3", "table6", "table7", "sec47"])
def test_markdown_and_latex_have_every_number_at_its_place(name, paper):
    """Cell by cell, after the labels of its row: no column and no row has moved."""
    data = built(name, paper)
    data = data.assign(mean=np.arange(len(data)) + 0.25, spread=0.5, flags="")
    grid = shown(name, paper, data)

    def cells(line, separator, end):
        return [one.strip() for one in re.split(separator, line.removesuffix(end))]

    page = [line for line in markdown(grid, "T", "C").splitlines() if line.startswith("|")]
    head, _, *rows = (cells(line.removeprefix("|"), r"\|", "|") for line in page)
    source = latex(grid, name, "T", "C").split("\\midrule\n", 1)[1].split("\\bottomrule")[0]
    lines = [
        cells(x, r"(?<!\\)&", r"\\")
        for x in source.splitlines()
        if not x.startswith((r"\midrule", r"\cmidrule", r"\cline"))
    ]
    stub = len(grid.stub)
    assert [one.split(", ")[-1] for one in head[stub:]] == [
        c[-1].replace("\n", " ") for c in grid.columns
    ]
    for labels, entries, row, line in zip(grid.rows, grid.entries, rows, lines, strict=True):
        assert row[stub - 1] == labels[-1]
        assert line[stub - 1] == tex(labels[-1])
        for entry, shown_, set_ in zip(entries, row[stub:], line[stub:], strict=True):
            ours, theirs = (entry.ours, entry.paper) if entry else ("", "")
            assert shown_ == ours + (f" ({theirs})" if theirs else "")
            both = rf"\shortstack{{{tex(ours)}\\({theirs})}}"
            assert set_ == (both if theirs else tex(ours))


def test_text_is_escaped_for_latex():
    assert tex(r"50% of a_b & \c") == r"50\% of a\_b \& \textbackslash{}c"
    assert tex("ε ± –†") == r"$\epsilon$ $\pm$ --$\dagger$"


def test_the_supplements_number_is_in_the_title(paper, tmp_path):
    write(TABLES["table9"], made_up(paper, []), paper, tmp_path / "table9")
    assert "## Table 9 (supplement's Table 4): R2S" in (tmp_path / "table9.md").read_text()
    assert "[Table 9 (supplement's Table 4)]" in (tmp_path / "table9.tex").read_text()

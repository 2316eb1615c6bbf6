"""The paper's tables: which numbers stand where, and what readers of each format see."""

import itertools
import re
from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from rst_core.identity import CandidateSet, Dense, Evaluation, Ticket, TransferRow
from tests.artifacts.made_up import bare_record
from workflow.artifacts.make import write_table
from workflow.artifacts.numbers import selection
from workflow.artifacts.numbers.frame import COLUMNS, cell_rows
from workflow.artifacts.numbers.keyed import Keyed
from workflow.artifacts.numbers.models import Models
from workflow.artifacts.numbers.summary import paper_values
from workflow.artifacts.tables.entries import TABLES
from workflow.artifacts.tables.grid import make_grid
from workflow.artifacts.tables.headers import MODELS, Labels
from workflow.artifacts.tables.keys import ColumnKey, RowKey
from workflow.artifacts.tables.layout import latex, markdown, tex
from workflow.artifacts.tables.picture import picture
from workflow.matrix import Matrix

PGD = selection.Measure("pgd20", 8.0)
RST = Models("resnet18", "cifar10", "rst")


def judges(cell, matrix):
    if isinstance(cell, TransferRow):
        return [target.model for target in matrix.targets(cell)]
    return list(cell.model.tickets) if isinstance(cell.model, CandidateSet) else [cell.model]


def made_up(matrix, cells, robust=lambda cell, judge: 40, total=100):
    """A frame in which natural accuracy is 60 + seed; ``robust`` gives the other."""
    rows = []
    for cell in cells:
        results = []
        for judge in judges(cell, matrix):
            kept = judge.keep_ratio if isinstance(judge, Ticket) else 1.0
            right = robust(cell, judge)
            results.append(
                {
                    "model": judge.path,
                    "natural": {"correct": 60 + judge.network.seed, "total": total},
                    "robust": {"correct": right, "total": total},
                    "parameters": 2_000_000,
                    "parameters_kept": round(2_000_000 * kept),
                }
            )
        rows += cell_rows(bare_record(cell, results))
    return pd.DataFrame(rows, columns=COLUMNS)


def of_table(name, matrix, **how):
    return made_up(matrix, TABLES[name].cells(matrix), **how)


@cache
def built(name, matrix):
    return TABLES[name].build(of_table(name, matrix), matrix)


def shown(name, matrix, data=None, footnotes=None):
    data = built(name, matrix) if data is None else data
    return make_grid(data, TABLES[name].places(matrix), TABLES[name].titles, footnotes or {})


# -- keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"table7"}))
def test_the_papers_keys_are_the_keys_of_rows_and_columns(name):
    for row, column in paper_values(name):
        assert str(RowKey.parse(row)) == row
        assert str(ColumnKey.parse(column)) == column


def test_a_key_that_names_no_row_is_refused():
    with pytest.raises(ValueError, match="'resnet18' names no row; allowed is NETWORK/MODEL"):
        RowKey.parse("resnet18")


# -- the numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_a_table_shows_every_number_of_the_paper_beside_ours_from_its_own_cells(name, paper):
    data = built(name, paper)
    published = data[data["paper"].notna()].set_index(["row", "column"])
    assert set(published.index) == set(paper_values(name))
    others = published.index.get_level_values("row").str.contains("adversarial_lottery_ticket")
    assert (published.loc[~others, "seeds"] == 3).all()
    assert (published.loc[others, "seeds"] == 0).all()
    counts = published.index.get_level_values("column").str.contains("parameters_m")
    assert published.loc[~others & ~counts, "difference"].notna().all()
    assert published.loc[counts, "difference"].isna().all()
    assert not data.duplicated(["row", "column"]).any()


@pytest.mark.parametrize("name", [f"table{i}" for i in range(1, 10)])
def test_a_table_asks_for_no_kind_of_cell_in_vain(name, paper):
    """Leaving out any kind is seen in the table."""

    def kind(cell):
        return type(cell), cell.attack, type(cell.model)

    cells = TABLES[name].cells(paper)
    full = built(name, paper)["seeds"].sum()
    for left_out in set(map(kind, cells)):
        rest = [cell for cell in cells if kind(cell) != left_out]
        assert TABLES[name].build(made_up(paper, rest), paper)["seeds"].sum() < full, left_out


def test_r2s_is_the_mean_of_the_matrix_and_its_natural_accuracy_that_over_members(paper):
    ratios = paper.config.experiments["r2s"].keep_ratios

    def robust(cell, judge):
        if not isinstance(cell, TransferRow):
            return 33
        own = 40 if judge == cell.model else 0
        return 10 * judge.network.seed + ratios.index(judge.keep_ratio) + 50 - own

    def only_r2s(cell, judge):
        return robust(cell, judge) if getattr(judge, "keep_ratio", 0.05) in ratios else 99

    data = TABLES["table3"].build(of_table("table3", paper, robust=only_r2s), paper)
    at = data.set_index(["row", "column"]).loc[("wideresnet32/r2s", "cifar100/robust")]
    assert at["mean"] == pytest.approx(10 + 2.5 + 50 - 40 / 6)
    assert at["spread"] == pytest.approx(10.0)
    assert at["difference"] == pytest.approx(at["mean"] - 43.27)
    natural = data.set_index(["row", "column"]).loc[("wideresnet32/r2s", "cifar100/natural")]
    assert natural["mean"] == pytest.approx(61.0)
    dense = data.set_index(["row", "column"]).loc[("resnet18/dense", "cifar10/robust")]
    assert dense["mean"] == pytest.approx(33.0)


def test_a_seed_with_a_hole_is_left_out_and_not_averaged_over(paper):
    def hole(cell):
        keep_ratio = getattr(cell.model, "keep_ratio", None)
        return cell.model.network.seed == 1 and keep_ratio == 0.1

    cells = [c for c in TABLES["table3"].cells(paper) if not hole(c)]
    data = TABLES["table3"].build(made_up(paper, cells), paper).set_index(["row", "column"])
    assert data.loc[("resnet18/r2s", "cifar10/robust"), "seeds"] == 2
    frame = of_table("table5", paper)
    member = (frame["keep_ratio"] == 0.1) & (frame["seed"] == 1) & frame["candidates"].notna()
    data = TABLES["table5"].build(frame[~member], paper).set_index(["row", "column"])
    assert data.loc[("resnet18/r2s", "cifar10/eot_pgd20-eps8"), "seeds"] == 2


def test_an_adaptive_attack_counts_as_the_mean_over_members(paper):
    def robust(cell, judge):
        return round(100 * judge.keep_ratio) if isinstance(judge, Ticket) else 50

    frame = of_table("table5", paper, robust=robust)
    found = selection.adaptive(
        RST, (0.05, 0.07, 0.1, 0.15, 0.2, 0.3), selection.Measure("eot_pgd20", 8.0)
    )
    assert found.values(Keyed.measured(frame, paper))["value"].tolist() == pytest.approx([14.5] * 3)
    other_set = selection.adaptive(RST, (0.05, 0.07), selection.Measure("eot_pgd20", 8.0))
    assert other_set.values(Keyed.measured(frame, paper)).empty


def test_another_seeds_ticket_is_never_the_seeds_own(paper):
    def robust(cell, judge):
        return 0 if cell.model == judge else 10 + judge.network.seed

    frame = of_table("table7", paper, robust=robust)
    ticket = Models("resnet18", "cifar10", "rst", 0.05)
    found = selection.transferred(ticket, ticket, PGD, "other_seeds").values(
        Keyed.measured(frame, paper)
    )
    assert found["value"].tolist() == [10, 11, 12]
    data = TABLES["table7"].build(frame, paper).set_index(["row", "column"])
    assert data.loc[("dense_natural", "dense_natural"), "mean"] == 0
    assert data.loc[("same_ratio_other_seed", "0.05"), "mean"] == pytest.approx(11)


def test_natural_accuracy_is_that_on_the_most_images(paper):
    models = [c for c in paper.cells("attacks") if isinstance(c.model, Dense)]
    few = made_up(paper, [c for c in models if c.attack == "auto_attack"], total=90)
    many = made_up(paper, [c for c in models if c.attack == "cw_inf"])
    for frame in (pd.concat([few, many]), pd.concat([many, few])):
        found = selection.evaluated(
            Models("resnet18", "cifar10", "dense_adversarial"), selection.NATURAL
        )
        assert found.values(Keyed.measured(frame, paper))["value"].tolist() == [60, 61, 62]


def test_weights_are_counted_in_millions(paper):
    frame = made_up(paper, paper.cells("existence"))
    models = Models("wideresnet32", "cifar10", "rst", 0.1)
    values = {
        what: selection.counted(models, what).values(Keyed.measured(frame, paper))["value"].tolist()
        for what in ("kept", "all", "sparsity")
    }
    assert values == {"kept": [0.2] * 3, "all": [2.0] * 3, "sparsity": pytest.approx([90.0] * 3)}


def test_a_number_carries_the_flags_of_everything_it_is_made_of(paper):
    frame = of_table("table3", paper)
    rst = frame["source_model"] == "rst"
    one = rst & (frame["seed"] == 2) & (frame["keep_ratio"] == 0.3)
    frame["flags"] = np.where(one & (frame["measure"] == "robust"), "b;a", None)
    frame.loc[rst & (frame["keep_ratio"] == 0.05) & (frame["measure"] == "robust"), "flags"] = "c"
    found = (
        selection.switched(RST, (0.05, 0.3), PGD)
        .values(Keyed.measured(frame, paper))
        .set_index("seed")
    )
    assert found["flags"].tolist() == ["c", "c", "a;b;c"]
    data = TABLES["table3"].build(frame, paper).set_index(["row", "column"])
    assert data.loc[("resnet18/r2s", "cifar10/robust"), "flags"] == "a;b;c"
    assert data.loc[("resnet18/r2s", "cifar10/natural"), "flags"] == ""


def test_other_candidate_sets_than_the_papers_are_not_compared_with_it(paper):
    experiments = dict(paper.config.experiments)
    experiments["r2s"] = experiments["r2s"].model_copy(update={"keep_ratios": [0.05, 0.2]})
    other = Matrix(paper.config.model_copy(update={"experiments": experiments}))
    data = TABLES["table3"].build(of_table("table3", other), other).set_index(["row", "column"])
    r2s, dense = (data.loc[(f"resnet18/{m}", "cifar10/robust")] for m in ("r2s", "dense"))
    assert r2s["mean"] == pytest.approx(40)
    assert r2s["paper"] == pytest.approx(63.93)
    assert pd.isna(r2s["difference"])
    assert dense["difference"] == pytest.approx(40 - 50.19)


def test_a_table_asks_for_no_cell_that_it_does_not_show(paper):
    """Table 4 shows two of the attacks on dense networks, section 4.7 two tickets."""
    cells = TABLES["table4"].cells(paper)
    assert {c.attack for c in cells} == {"auto_attack", "cw_inf"}
    assert not [c for c in cells if isinstance(c, Evaluation) and isinstance(c.model, Ticket)]
    assert len(TABLES["sec47"].cells(paper)) == 2 * 3


def test_the_matrix_of_the_config_is_shown_beside_the_papers_own(demo):
    grid = shown("table2", demo)
    assert [row[-1] for row in grid.rows] == [
        "Dense", "RST@5%", "RST@7%", "RST@10%", "RST@15%", "RST@20%", "RST@50%",
    ]  # fmt: skip
    by_row = {row[-1]: line for row, line in zip(grid.rows, grid.entries, strict=True)}
    assert by_row["RST@5%"][0].ours == "–"
    assert by_row["RST@5%"][0].paper == "61.11"
    assert by_row["RST@50%"][0].ours == "40.00"
    assert by_row["RST@50%"][0].paper == ""


# -- the words -----------------------------------------------------------------------------

#: A row's or column's key, a header, and what stands under it; in the paper's words
#: [3.2, 4.3 to 4.6, 5.1, 5.2, 5.5, 6.2, 6.3] where they are the paper's things.
WORDS = [
    ("adversarial_lottery_ticket", "model", "Adversarial lottery ticket [59]"),
    ("dense_natural", "model", "Dense, naturally trained"),
    ("dense", "model", "Dense"),
    ("rst", "model", "RST"),
    ("rst@0.05", "model", "RST@5%"),
    ("finetuned_inherited", "model", "Fine-tuned RST, inherited"),
    ("finetuned_reinitialised", "model", "Fine-tuned RST, re-initialised"),
    ("rtt_natural", "model", "Natural RTT"),
    ("rtt_adversarial", "model", "Adversarial RTT"),
    ("rtt_transferred", "model", "Transferred RTT"),
    ("r2s", "model", "R2S"),
    ("rtt_adversarial_r2s", "model", "R2S on adversarial RTTs"),
    ("dense", "series", "ResNet18 (Dense)"),
    ("rst", "series", "RST @ ResNet18"),
    ("rst@0.2/fgsm", "variant", "RST, FGSM"),
    ("rst@0.2/fgsm_rs", "variant", "RST, FGSM-RS"),
    ("rst@0.2/pgd7", "variant", "RST, PGD-7"),
    ("rst@0.2/row/released", "variant", "RST, row, scores as released"),
    ("rst@0.2/channel/weight_fan", "variant", "RST, channel, scores by the weight's fan"),
    ("rst@0.2/eps12", "variant", "RST, ε = 12/255"),
    ("rst@0.2/eps4", "trained_eps", "4/255"),
    ("rst@0.05", "ratio", "0.05"),
    ("rst@0.05", "percent", "5%"),
    ("dense", "percent", "100%"),
    ("r2s@0.03+0.1", "candidates", "3%, 10%"),
    ("dense", "candidates", "Dense"),
    ("cifar10/natural", "measure", "Natural Acc (%)"),
    ("cifar10/robust", "measure", "PGD-20 Acc (%)"),
    ("cifar10/robust", "accuracy", "Robust Acc (%)"),
    ("cifar10/natural", "accuracy", "Natural Acc (%)"),
    ("cifar10/cw_inf-eps8", "accuracy", "Robust Acc (%)"),
    ("cifar10/cw_inf-eps8", "measure", "CW-Inf Acc (%)"),
    ("cifar10/cw_inf-eps8", "attack", "CW-Inf"),
    ("cifar10/auto_attack-eps12", "eps", "ε = 12/255"),
    ("cifar10/pgd20_l2-eps1.71", "eps", "ε = 1.71"),
    ("cifar10/cw_l2", "eps", "–"),
    ("cifar100/robust", "dataset", "CIFAR-100"),
    ("parameters_m", "accuracy", "# Parameter (M)"),
    ("network_parameters_m", "measure", "# of Network (M)"),
    ("sparsity_percent", "measure", "Sparsity (%)"),
]


@pytest.mark.parametrize(("key", "header", "words"), WORDS)
def test_rows_and_columns_are_called_what_they_are(key, header, words, paper):
    of_column = "/" in key.partition("@")[0] or key.endswith(("_m", "_percent"))
    row = RowKey.parse("resnet18/rst" if of_column else f"resnet18/{key}")
    column = ColumnKey.parse(key if of_column else "cifar10/robust")
    labels = Labels(row, column, paper, (), frozenset({"resnet18"}))
    assert labels.under((header,))[0] == (words,)


def test_every_model_of_tables_has_words():
    assert set(MODELS) == {key for key, header, _ in WORDS if header == "model"} - {"rst@0.05"}


# -- the layout ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_a_picture_has_every_number_under_its_header_and_beside_its_labels(name, paper):
    """Positions of texts against the grid: columns to the right, rows downwards."""
    data = built(name, paper)
    data = data.assign(mean=np.arange(len(data)) + 100.25, flags="", paper=np.arange(len(data)))
    grid = shown(name, paper, data)
    figure = picture(grid, "T", "N")
    plt.close(figure)
    at: dict[str, list] = {}
    for text in figure.texts:
        at.setdefault(text.get_text(), []).append(text.get_position())
    columns: list[set[float]] = [set() for _ in grid.columns]
    lines = []
    for entries in grid.entries:
        heights = set()
        for column, entry in enumerate(entries):
            if entry is not None:
                ((x, y),) = at[entry.ours]
                ((below, lower),) = at[f"({entry.paper})"]
                assert (below, lower < y) == (x, True)
                columns[column].add(x)
                heights.add(y)
                lowest = lower
        (height,) = heights
        lines.append((height, lowest))
    across = [x for (x,) in columns]
    assert across == sorted(across)
    assert len(set(across)) == len(across)
    for above, under in itertools.pairwise(lines):
        assert above[1] > under[0], "each row is below the one before it"
    for level in range(len(grid.columns[0])):
        for label, first, last in grid.spans(level):
            if label:
                xs = [x for x, y in at[label] if across[first] - 1e-9 <= x <= across[last] + 1e-9]
                assert xs
                assert first != last or min(abs(x - across[first]) for x in xs) < 1e-9
    for labels, (top, bottom) in zip(grid.rows, lines, strict=True):
        assert any(x < across[0] and bottom <= y <= top for x, y in at[labels[-1]])


def test_heads_are_grouped_and_ordered_as_in_the_paper(paper):
    grid = shown("table6", paper)
    assert grid.stub == ("Network", "Remaining\nRatio (%)")
    assert grid.spans(0) == [
        ("Auto-Attack", 0, 1), ("CW-L2", 2, 2), ("CW-Inf", 3, 4), ("Bandits", 5, 6),
    ]  # fmt: skip
    assert [c[1] for c in grid.columns[:3]] == ["ε = 8/255", "ε = 12/255", "–"]
    assert grid.rows[:3] == (
        ("ResNet18 (Dense)", "100%"), ("RST @ ResNet18", "5%"), ("RST @ ResNet18", "10%"),
    )  # fmt: skip
    grid = shown("table8", paper)
    assert [label for label, _, _ in grid.spans(1)] == ["ResNet18", "WideResNet32"] * 2
    assert [row[0] for row in grid.rows][:2] == ["Dense", "3%, 5%, 7%, 10%"]
    grid = shown("table1", paper)
    assert [row[2] for row in grid.rows] == ["2/255"] * 3 + ["4/255"] * 3
    assert [c[0] for c in grid.columns] == ["# Parameter (M)", "Natural Acc (%)", "Robust Acc (%)"]
    assert [i for i in range(6) if grid.begins_group(i)] == [3]
    assert [row[0] for row in shown("table5", paper).rows] == [
        "Dense@PGD-20", "R2S@EOT", "R2S@Ensemble",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["table1", "table3", "table4", "table7"])
def test_numbers_stand_in_the_papers_order(name, paper):
    """The files of these tables follow the paper row by row; a grid keeps the data's order."""
    data = built(name, paper).dropna(subset="paper")
    assert list(zip(data["row"], data["column"], strict=True)) == list(paper_values(name))


def test_one_network_in_two_roles_is_told_apart(demo):
    grid = shown("table1", demo)
    assert {row[0] for row in grid.rows[-3:]} == {
        "RST @ ResNet50 (as ResNet50)", "RST @ ResNet50 (as ResNet101)",
    }  # fmt: skip
    assert len(grid.rows) == 7


@pytest.mark.parametrize("name", TABLES)
def test_a_stand_in_is_named_above_the_numbers_of_every_table(name, demo):
    grid = shown(name, demo)
    assert any("† (stand-in" in " ".join(x).replace("\n", " ") for x in grid.columns + grid.rows)


def test_flags_become_footnotes_in_every_format(paper):
    frame = of_table("table4", paper)
    frame["flags"] = np.where(frame["attack"] == "auto_attack", "weak", None)
    data = TABLES["table4"].build(frame, paper)
    grid = shown("table4", paper, data, {"weak": "100 % of it_is weak"})
    assert grid.footnotes == {"a": "100 % of it_is weak"}
    marked = [[e.marks for e in line] for line in grid.entries]
    assert marked == [[("a",), ("a",), (), ()]] * 4
    page = markdown(grid, "T", "C")
    assert page.count("40.00 ± 0.00<sup>a</sup>") == 8
    assert "- <sup>a</sup> 100 % of it_is weak" in page
    source = latex(grid, "table4", "T", "C")
    assert source.count(r"\textsuperscript{a}\\(") == 8
    assert r"\textsuperscript{a} 100 \% of it\_is weak" in source
    drawn = picture(grid, "T", "C").texts
    texts = [text.get_text().replace("\N{NO-BREAK SPACE}", " ") for text in drawn]
    assert texts.count("a") == 8
    assert any("a: 100 % of it_is weak" in text for text in texts)


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


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("which", ["paper", "demo"])
def test_nothing_in_a_picture_overlaps_or_is_cut(name, which, request):
    matrix = request.getfixturevalue(which)
    data = built(name, matrix).assign(flags="one;two")
    grid = shown(name, matrix, data, {"one": "a sentence that says a lot " * 9})
    figure = picture(grid, TABLES[name].heading + " (on stand-in data)", "remark " * 60)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [t.get_window_extent(renderer) for t in figure.texts if t.get_text()]
    plt.close(figure)
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height
    slack = 1.5  # pixels: letters' boxes are larger than their ink
    for one, other in itertools.combinations(boxes, 2):
        wide = min(one.x1, other.x1) - max(one.x0, other.x0)
        high = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert wide <= slack or high <= slack * 2
    assert min(t.get_fontsize() for t in figure.texts) >= 5.5


@pytest.mark.parametrize("share", ["half", "none"])
@pytest.mark.parametrize("name", ["table1", "table5", "table7", "sec47"])
def test_a_table_of_the_paper_is_written_from_half_of_its_cells_and_from_none(
    name, share, paper, tmp_path
):
    cells = TABLES[name].cells(paper)[::2] if share == "half" else []
    write_table(TABLES[name], made_up(paper, cells), paper, tmp_path / name, "partial")
    assert {p.suffix for p in tmp_path.iterdir()} == {".csv", ".md", ".tex", ".png"}
    page = (tmp_path / f"{name}.md").read_text()
    assert "–" in page
    assert "partial; Mean ± deviation" in page
    if share == "none":
        assert pd.read_csv(tmp_path / f"{name}.csv")["seeds"].sum() == 0


def test_the_supplements_number_is_in_the_title(paper, tmp_path):
    write_table(TABLES["table9"], made_up(paper, []), paper, tmp_path / "table9")
    assert "## Table 9 (supplement's Table 4): R2S" in (tmp_path / "table9.md").read_text()
    assert "[Table 9 (supplement's Table 4)]" in (tmp_path / "table9.tex").read_text()
